"""The books of the Bible: how many chapters each has, and its names as they are said and written.

The 66 books of the Protestant canon. Abbreviations that are words themselves ("is", "sal", "mal")
are left out. Chapters are counted as in the King James and the Reina-Valera.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

LANGUAGES = ("en", "es")


@dataclass(frozen=True)
class Book:
    """A book, or books of one name that are told apart by number.

    Args:
        key: what it is called here, whatever the language.
        chapters: of each; more than one for "1 Samuel" and "2 Samuel".
        names: by language, casefolded and without accents.
        written: by language, as it stands before a chapter: "Salmo" 23.
    """

    key: str
    chapters: tuple[int, ...]
    names: dict[str, tuple[str, ...]]
    written: dict[str, str]

    @property
    def is_numbered(self) -> bool:
        return len(self.chapters) > 1


# Key, chapters, English names, Spanish names; first the one that is written before a chapter.
_TABLE = """
genesis | 50 | Genesis, Gen | Génesis, Gn
exodus | 40 | Exodus, Exod | Éxodo
leviticus | 27 | Leviticus, Lev | Levítico, Lv
numbers | 36 | Numbers | Números
deuteronomy | 34 | Deuteronomy, Deut | Deuteronomio, Dt
joshua | 24 | Joshua, Josh | Josué, Jos
judges | 21 | Judges, Judg | Jueces
ruth | 4 | Ruth | Rut, Ruth
samuel | 31 24 | Samuel, Sam | Samuel, Sam
kings | 22 25 | Kings, Kgs | Reyes
chronicles | 29 36 | Chronicles, Chron, Chr | Crónicas, Cr
ezra | 10 | Ezra | Esdras
nehemiah | 13 | Nehemiah, Neh | Nehemías, Neh
esther | 10 | Esther | Ester, Esther
job | 42 | Job | Job
psalms | 150 | Psalm, Psalms, Ps | Salmo, Salmos
proverbs | 31 | Proverbs, Prov | Proverbios, Prov
ecclesiastes | 12 | Ecclesiastes, Eccl | Eclesiastés
song of songs | 8 | Song of Songs, Song of Solomon, Canticles | Cantar de los Cantares, Cantares
isaiah | 66 | Isaiah, Isa | Isaías
jeremiah | 52 | Jeremiah, Jer | Jeremías, Jer
lamentations | 5 | Lamentations | Lamentaciones
ezekiel | 48 | Ezekiel, Ezek | Ezequiel
daniel | 12 | Daniel | Daniel
hosea | 14 | Hosea, Hos | Oseas
joel | 3 | Joel | Joel
amos | 9 | Amos | Amós
obadiah | 1 | Obadiah | Abdías
jonah | 4 | Jonah | Jonás
micah | 7 | Micah, Mic | Miqueas
nahum | 3 | Nahum | Nahúm
habakkuk | 3 | Habakkuk, Hab | Habacuc, Hab
zephaniah | 3 | Zephaniah, Zeph | Sofonías, Sof
haggai | 2 | Haggai, Hag | Hageo, Ageo
zechariah | 14 | Zechariah, Zech | Zacarías, Zac
malachi | 4 | Malachi | Malaquías
matthew | 28 | Matthew, Matt, Mt | Mateo, Mt
mark | 16 | Mark, Mk | Marcos, Mc
luke | 24 | Luke, Lk | Lucas, Lc
john | 21 | John, Jn | Juan, Jn
acts | 28 | Acts, Acts of the Apostles | Hechos, Hechos de los Apóstoles, Hch
romans | 16 | Romans, Rom | Romanos, Rom
corinthians | 16 13 | Corinthians, Cor | Corintios, Cor
galatians | 6 | Galatians, Gal | Gálatas, Gal
ephesians | 6 | Ephesians, Eph | Efesios, Ef
philippians | 4 | Philippians, Phil | Filipenses, Flp
colossians | 4 | Colossians | Colosenses
thessalonians | 5 3 | Thessalonians, Thess | Tesalonicenses, Tes
timothy | 6 4 | Timothy, Tim | Timoteo, Tim
titus | 3 | Titus | Tito
philemon | 1 | Philemon | Filemón
hebrews | 13 | Hebrews, Heb | Hebreos, Heb
james | 5 | James, Jas | Santiago, Stg
peter | 5 3 | Peter, Pet | Pedro
letters of john | 5 1 1 | John, Jn | Juan, Jn
jude | 1 | Jude | Judas
revelation | 22 | Revelation, Revelations, Rev | Apocalipsis, Revelación
"""


def folded(text: str) -> str:
    """A text casefolded and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


def _read(row: str) -> Book:
    key, chapters, *cells = (cell.strip() for cell in row.split("|"))
    names = {
        language: tuple(name.strip() for name in cell.split(","))
        for language, cell in zip(LANGUAGES, cells, strict=True)
    }
    return Book(
        key,
        tuple(int(count) for count in chapters.split()),
        {language: tuple(map(folded, of_one)) for language, of_one in names.items()},
        {language: of_one[0] for language, of_one in names.items()},
    )


BOOKS = tuple(_read(row) for row in _TABLE.strip().splitlines())
