"""The Bible references in a text, spoken or written, in English and Spanish.

Pure. Read are "John 3:16", "first John chapter three verse sixteen", "verse 16 of chapter 3 of
John", "the twenty third Psalm", "Primera carta de Juan 3, 16". A book alone is none: most of their
names are people's. Of a range the first verse counts; chapters that a book does not have are none.
Written they are all alike: "1 Juan 3:16".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from services import spoken_numbers
from services.bible_books import BOOKS, LANGUAGES, Book, folded

# The most that a chapter has: Psalm 119.
_MOST_VERSES = 176
# Stands behind a spoken ordinal: "the first" is a book's number, and no verse behind a chapter.
_ORDINAL = "#"
# Articles, though they are number words too.
_ARTICLES = frozenset({"un", "una"})
_ROMAN = {"i": 1, "ii": 2, "iii": 3}
# fmt: off
# Books whose names are people's, or words: a number behind them counts something else at times.
_PEOPLE_AND_WORDS = frozenset((
    "joshua", "judges", "ruth", "samuel", "kings", "ezra", "nehemiah", "esther", "job", "isaiah",
    "jeremiah", "ezekiel", "daniel", "hosea", "joel", "amos", "obadiah", "jonah", "micah", "nahum",
    "zechariah", "matthew", "mark", "luke", "john", "letters of john", "acts", "timothy", "titus",
    "philemon", "james", "peter", "jude", "numbers",
))
# fmt: on
_BY_KEY = {book.key: book for book in BOOKS}


@dataclass(frozen=True)
class Reference:
    """A place in the Bible; of a book with one chapter, that is 1.

    Args:
        book: Book.key, with its number where it has one: "1 samuel".
        verse: None for a whole chapter.
    """

    book: str
    chapter: int
    verse: int | None = None


@dataclass(frozen=True)
class Place:
    """A reference where it stands in a text: text[start:end].

    Args:
        last_verse: of a range, "verses four through seven".
        is_sure: "John three" and "Mark one" may be something else; "John 3", "First John three",
            "Romans eight" and whatever names a verse or says "chapter" are not.
    """

    reference: Reference
    start: int
    end: int
    last_verse: int | None = None
    is_sure: bool = True


def knows(language: str) -> bool:
    """Whether the names of the books are known in a language."""
    return language in LANGUAGES


def references(text: str, language: str) -> list[Reference]:
    """The references in a text whose language is known, a repeated one as often as it stands there;
    form by form: those that name the chapter before the book first."""
    return [place.reference for place in _places(text, language)]


def places(text: str, language: str) -> list[Place]:
    """The same with where they stand, in the order of the text."""
    return sorted(_places(text, language), key=lambda place: place.start)


def written(place: Place, language: str) -> str:
    """The usual short form, "1 Corintios 12:4-7" or "Salmo 23"."""
    reference = place.reference
    number, _, key = reference.book.partition(" ")
    if not number.isdigit():
        number, key = "", reference.book
    chapter = f"{number} {_BY_KEY[key].written[language]} {reference.chapter}".lstrip()
    if reference.verse is None:
        return chapter
    last = f"-{place.last_verse}" if place.last_verse else ""
    return f"{chapter}:{reference.verse}{last}"


def _places(text: str, language: str) -> list[Place]:
    grammar = _grammar(language)
    normal = _normal(text, language)
    rest = normal.text
    found: list[Place] = []
    for form in grammar.forms:
        taken: list[tuple[int, int]] = []
        for match in form.finditer(rest):
            place = _place(match, grammar, normal, text)
            if place is not None:
                found.append(place)
                taken.append(match.span())
        for start, end in taken:
            rest = f"{rest[:start]}{'|' * (end - start)}{rest[end:]}"
    return found


@dataclass(frozen=True)
class _Normal:
    """A text casefolded, without accents, its number words as digits.

    Args:
        starts, ends: for each sign of `text`, the part of the original that it stands for.
    """

    text: str
    starts: list[int]
    ends: list[int]


def _normal(original: str, language: str) -> _Normal:
    signs: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    def add(text: str, start: int, end: int) -> None:
        for sign in text:
            signs.append(sign)
            starts.append(start)
            ends.append(end)

    def copy(start: int, end: int) -> None:
        for index in range(start, end):
            add(folded(original[index]), index, index + 1)

    end = 0
    for number in spoken_numbers.numbers(original, language):
        if number.words and not _ARTICLES.intersection(number.words[:1]):
            copy(end, number.start)
            mark = _ORDINAL if number.is_ordinal else ""
            add(f"{number.value}{mark}", number.start, number.end)
            end = number.end
    copy(end, len(original))
    return _Normal("".join(signs), starts, ends)


@dataclass(frozen=True)
class _Words:
    """What a language says around a reference, as pieces of regular expressions."""

    chapter: str
    verse: str
    of: str
    to: str  # between the first and the last verse
    ordinal_ending: str
    filling: str  # between a number and its book: "letter of Paul to the"
    leading: str  # before "chapter" or "verse": "in the"
    psalm: str


_WORDS = {
    "en": _Words(
        chapter=r"(?:chapters?|chap\.?|ch\.)",
        verse=r"(?:verses?|vv?\.)",
        of=r"(?:of|in|from)",
        to=r"(?:through|to|till|until)",
        ordinal_ending=r"(?:st|nd|rd|th)",
        filling=r"(?:of|to|the|letter|epistle|book|gospel|according|paul|apostle|saint|st)",
        leading=r"(?:and|in|at|from|the|beginning)",
        psalm=r"psalm",
    ),
    "es": _Words(
        chapter=r"(?:capitulos?|cap\.?)",
        verse=r"(?:versiculos?|versos?|vv?\.)",
        of=r"(?:del?|en)",
        to=r"(?:al?|hasta(?:\s+el)?)",
        ordinal_ending=r"(?:era|er|ra|da|ta|a|o)",
        filling=r"(?:del?|a|al|los|las|la|el|carta|epistola|libro|evangelio|segun|san|santo|apostol"
        r"|pablo)",
        leading=r"(?:y|en|el|los|desde|del?|su)",
        psalm=r"salmo",
    ),
}


@dataclass(frozen=True)
class _Grammar:
    """A language's forms of a reference; each match has the groups that `_reference` reads."""

    forms: tuple[re.Pattern[str], ...]
    books: dict[tuple[bool, str], Book]  # by whether it is numbered, and name
    chapter_word: re.Pattern[str]


@cache
def _grammar(language: str) -> _Grammar:
    words = _WORDS[language]
    books = {(book.is_numbered, name): book for book in BOOKS for name in book.names[language]}

    def names(is_numbered: bool) -> str:
        found = [name for numbered, name in books if numbered == is_numbered]
        return "|".join(sorted(found, key=len, reverse=True))

    ending, filling, leading = words.ordinal_ending, words.filling, words.leading
    of_number = rf"(?:[123]|i{{1,3}})(?:{_ORDINAL}|\.?\s?{ending})?\.?\s+(?:{filling}\.?\s+)*"
    numbered = rf"{of_number}(?:{names(True)})\b"
    book = (
        rf"(?:(?P<number>[123]|i{{1,3}})(?:{_ORDINAL}|\.?\s?{ending})?\.?\s+(?:{filling}\.?\s+)*"
        rf"(?P<numbered>{names(True)})|(?P<plain>{names(False)}))\b\.?"
    )
    # A whole number that is not itself the number of the book that follows; no thousands: the verse
    # in "32,200" would be none.
    count = rf"(?!{numbered})\d{{1,3}}(?![\d{_ORDINAL}]|[.,](?!1[0-7])\d{{3}}(?!\d))"
    # Behind the words "chapter" and "verse" an ordinal is one as well: "capítulo primero".
    named = rf"(?:number\s+|numero\s+)?\d{{1,3}}(?!\d){_ORDINAL}?"
    last = rf"(?:\s*[-–]\s*|\s+{words.to}\s+(?:{words.verse}\s+)?)"
    before_word = rf"[\s,;.]+(?:{leading}\s+)*"
    named_verse = rf"{before_word}{words.verse}\s+(?:{leading}\s+)*(?P<named_verse>{named})"
    named_verse += rf"(?:{last}(?P<named_last>{named}))?"
    chapter = (
        rf"(?:{before_word}{words.chapter}\s+(?P<named_chapter>{named})|\s+(?P<chapter>{count}))"
    )
    verse = (
        rf"(?:{named_verse}|(?:\s*:\s*|[.,]\s?|\s+)(?P<verse>{count})"
        rf"(?:{last}(?P<last>{count}))?)?"
    )
    verse_before = (
        rf"(?:{words.verse}\s+(?P<verse_before>{named})(?:{last}(?P<last_before>{named}))?"
        rf"[\s,]+{words.of}\s+(?:the\s+|el\s+)?)?"
    )
    chapter_before = (
        rf"(?:{words.chapter}\s+(?P<named_chapter>{named})"
        rf"|(?P<chapter>\d{{1,3}})(?:{_ORDINAL}|{ending})?\s+{words.chapter})"
    )
    patterns = (
        rf"{verse_before}{chapter_before}\s+{words.of}\s+(?:{filling}\.?\s+)*{book}"
        rf"(?:{named_verse})?",
        rf"(?P<chapter>\d{{1,3}})(?:{_ORDINAL}|{ending})?\s+(?P<plain>{words.psalm})\b"
        rf"(?:{named_verse})?",
        rf"(?P<plain>{words.psalm})\s+(?P<chapter>\d{{1,3}}){_ORDINAL}(?:{named_verse})?",
        rf"{book}{chapter}{verse}",
    )
    return _Grammar(
        tuple(re.compile(rf"(?<![\w:.,]){pattern}") for pattern in patterns),
        books,
        re.compile(words.chapter),
    )


def _place(match: re.Match[str], grammar: _Grammar, normal: _Normal, original: str) -> Place | None:
    said = match.groupdict()
    number = _ROMAN.get(said.get("number") or "") or _count(said, "number") or 1
    is_numbered = bool(said.get("numbered"))
    book = grammar.books[is_numbered, str(said["numbered"] if is_numbered else said["plain"])]
    chapter = _count(said, "named_chapter", "chapter")
    verse = _count(said, "named_verse", "verse_before", "verse")
    if number > len(book.chapters) or chapter is None:
        return None
    chapters = book.chapters[number - 1]
    if chapters == 1 and verse is None and not said.get("named_chapter"):
        chapter, verse = 1, chapter  # "Jude 3"
    if not 1 <= chapter <= chapters:
        return None
    if verse is not None and not 1 <= verse <= _MOST_VERSES:
        verse = None
    last = _count(said, "named_last", "last_before", "last")
    start, end = normal.starts[match.start()], normal.ends[match.end() - 1]
    return Place(
        Reference(f"{number} {book.key}" if is_numbered else book.key, chapter, verse),
        start,
        end,
        last if verse and last and verse < last <= _MOST_VERSES else None,
        is_sure=bool(
            verse
            or is_numbered
            or book.key not in _PEOPLE_AND_WORDS
            or grammar.chapter_word.search(match[0])
            or str(chapter) in original[start:end]
        ),
    )


def _count(said: dict[str, str | None], *names: str) -> int | None:
    """The first of these groups that is there, as a number."""
    found = next((text for name in names if (text := said.get(name))), None)
    digits = re.search(r"\d+", found or "")
    return int(digits[0]) if digits else None
