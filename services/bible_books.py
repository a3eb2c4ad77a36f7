"""The books of the Bible: how many chapters each has, and its names as they are said and written.

The 66 books of the Protestant canon. Names are casefolded and without accents; abbreviations that
are words themselves ("is", "sal", "mal") are left out. Chapters are counted as in the King James
and the Reina-Valera.
"""

from __future__ import annotations

from dataclasses import dataclass

LANGUAGES = ("en", "es")


@dataclass(frozen=True)
class Book:
    """A book, or books of one name that are told apart by number.

    Args:
        key: what it is called here, whatever the language.
        chapters: of each; more than one for "1 Samuel" and "2 Samuel".
        names: by language, the longest first where one begins another.
    """

    key: str
    chapters: tuple[int, ...]
    names: dict[str, tuple[str, ...]]

    @property
    def is_numbered(self) -> bool:
        return len(self.chapters) > 1


# Key, chapters, English names, Spanish names.
_TABLE = """
genesis | 50 | genesis, gen | genesis, gn
exodus | 40 | exodus, exod | exodo
leviticus | 27 | leviticus, lev | levitico, lv
numbers | 36 | numbers | numeros
deuteronomy | 34 | deuteronomy, deut | deuteronomio, dt
joshua | 24 | joshua, josh | josue, jos
judges | 21 | judges, judg | jueces
ruth | 4 | ruth | rut, ruth
samuel | 31 24 | samuel, sam | samuel, sam
kings | 22 25 | kings, kgs | reyes
chronicles | 29 36 | chronicles, chron, chr | cronicas, cr
ezra | 10 | ezra | esdras
nehemiah | 13 | nehemiah, neh | nehemias, neh
esther | 10 | esther | ester, esther
job | 42 | job | job
psalms | 150 | psalms, psalm, ps | salmos, salmo
proverbs | 31 | proverbs, prov | proverbios, prov
ecclesiastes | 12 | ecclesiastes, eccl | eclesiastes
song of songs | 8 | song of songs, song of solomon, canticles | cantar de los cantares, cantares
isaiah | 66 | isaiah, isa | isaias
jeremiah | 52 | jeremiah, jer | jeremias, jer
lamentations | 5 | lamentations | lamentaciones
ezekiel | 48 | ezekiel, ezek | ezequiel
daniel | 12 | daniel | daniel
hosea | 14 | hosea, hos | oseas
joel | 3 | joel | joel
amos | 9 | amos | amos
obadiah | 1 | obadiah | abdias
jonah | 4 | jonah | jonas
micah | 7 | micah, mic | miqueas
nahum | 3 | nahum | nahum
habakkuk | 3 | habakkuk, hab | habacuc, hab
zephaniah | 3 | zephaniah, zeph | sofonias, sof
haggai | 2 | haggai, hag | hageo, ageo
zechariah | 14 | zechariah, zech | zacarias, zac
malachi | 4 | malachi | malaquias
matthew | 28 | matthew, matt, mt | mateo, mt
mark | 16 | mark, mk | marcos, mc
luke | 24 | luke, lk | lucas, lc
john | 21 | john, jn | juan, jn
acts | 28 | acts of the apostles, acts | hechos de los apostoles, hechos, hch
romans | 16 | romans, rom | romanos, rom
corinthians | 16 13 | corinthians, cor | corintios, cor
galatians | 6 | galatians, gal | galatas, gal
ephesians | 6 | ephesians, eph | efesios, ef
philippians | 4 | philippians, phil | filipenses, flp
colossians | 4 | colossians | colosenses
thessalonians | 5 3 | thessalonians, thess | tesalonicenses, tes
timothy | 6 4 | timothy, tim | timoteo, tim
titus | 3 | titus | tito
philemon | 1 | philemon | filemon
hebrews | 13 | hebrews, heb | hebreos, heb
james | 5 | james, jas | santiago, stg
peter | 5 3 | peter, pet | pedro
letters of john | 5 1 1 | john, jn | juan, jn
jude | 1 | jude | judas
revelation | 22 | revelation, revelations, rev | apocalipsis, revelacion
"""


def _read(row: str) -> Book:
    key, chapters, *names = (cell.strip() for cell in row.split("|"))
    return Book(
        key,
        tuple(int(count) for count in chapters.split()),
        {
            language: tuple(name.strip() for name in cell.split(","))
            for language, cell in zip(LANGUAGES, names, strict=True)
        },
    )


BOOKS = tuple(_read(row) for row in _TABLE.strip().splitlines())
