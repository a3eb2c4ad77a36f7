"""Where the Bible is quoted from, however it is said."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bible_books import BOOKS
from services.bible_references import Reference, references

JOHN = Reference("john", 3, 16)
FIRST_JOHN = Reference("1 letters of john", 3, 16)


@pytest.mark.parametrize(
    "text",
    [
        "John 3:16",
        "John 3.16",
        "john three sixteen",
        "John chapter three verse sixteen",
        "John chapter 3, verses 16 to 18",
        "St. John, in chapter three and verse sixteen",
        "verse 16 of chapter 3 of John",
        "the third chapter of the gospel of John, verse sixteen",
        "as it is written in Jn 3:16",
    ],
)
def test_english_ways_to_say_one_verse(text: str) -> None:
    assert references(text, "en") == [JOHN]


@pytest.mark.parametrize(
    "text",
    [
        "Juan 3:16",
        "Juan 3,16",
        "san juan tres dieciséis",
        "Juan capítulo tres versículo dieciséis",
        "San Juan, capítulo tercero, versículos del 16 al 18",
        "versículo 16 del capítulo 3 de San Juan",
        "el tercer capítulo del evangelio según San Juan, versículo dieciséis",
    ],
)
def test_spanish_ways_to_say_one_verse(text: str) -> None:
    assert references(text, "es") == [JOHN]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "1 John 3:16"),
        ("en", "1st John 3:16"),
        ("en", "I John 3:16"),
        ("en", "first John chapter three verse sixteen"),
        ("en", "John's first letter, I mean the first letter of John, chapter 3 verse 16"),
        ("es", "1 Juan 3:16"),
        ("es", "1ª de Juan 3:16"),
        ("es", "1.ª carta de Juan 3:16"),
        ("es", "Primera de Juan 3:16"),
        ("es", "primera epístola del apóstol San Juan, capítulo tres, versículo dieciséis"),
    ],
)
def test_numbered_books_are_told_from_those_without_a_number(language: str, text: str) -> None:
    assert references(text, language) == [FIRST_JOHN]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "the twenty third Psalm", [Reference("psalms", 23)]),
        ("es", "el Salmo veintitrés", [Reference("psalms", 23)]),
        ("es", "Salmo segundo", [Reference("psalms", 2)]),
        ("es", "Salmo 119,105", [Reference("psalms", 119, 105)]),
        ("en", "Jude 3", [Reference("jude", 1, 3)]),
        ("es", "Judas capítulo 1", [Reference("jude", 1)]),
        ("en", "John 3, 1 John 4:8", [Reference("john", 3), Reference("1 letters of john", 4, 8)]),
        ("en", "two Corinthians five seventeen", [Reference("2 corinthians", 5, 17)]),
        ("es", "Segunda a Timoteo 2:2", [Reference("2 timothy", 2, 2)]),
        (
            "es",
            "Cantares 2 y Apocalipsis 21:1",
            [Reference("song of songs", 2), *[Reference("revelation", 21, 1)]],
        ),
        (
            "en",
            "Psalm one hundred nineteen, verse one hundred and five",
            [Reference("psalms", 119, 105)],
        ),
        ("en", "Psalm 119 and Psalm 119", [Reference("psalms", 119)] * 2),
    ],
)
def test_books_and_forms_of_their_own(language: str, text: str, expected: list[Reference]) -> None:
    assert references(text, language) == expected


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "I, John, who also am your brother"),
        ("en", "John 500 people"),
        ("en", "Peter 3:1"),
        ("en", "4 Peter 1:1"),
        ("en", "Mark said so"),
        ("en", "in the acts of 3 men"),
        ("en", "and his division numbers 32,200"),
        ("es", "Marcos y 3 hombres"),
        ("en", ""),
    ],
)
def test_names_and_numbers_alone_are_no_reference(language: str, text: str) -> None:
    assert references(text, language) == []


@pytest.mark.parametrize(
    ("language", "text", "verse"),
    [
        ("en", "Romans 8, first of all", None),
        ("es", "Juan 3 una vez", None),
        ("es", "Juan 3 primero", None),
        ("en", "Romans 8 300 times", None),
    ],
)
def test_a_number_that_belongs_to_something_else_is_no_verse(
    language: str, text: str, verse: int | None
) -> None:
    (found,) = references(text, language)
    assert found.verse == verse


numbered_books = [(book, number) for book in BOOKS for number in range(1, len(book.chapters) + 1)]


def test_the_canon_is_whole() -> None:
    assert len(numbered_books) == 66
    assert sum(sum(book.chapters) for book in BOOKS) == 1189


@given(st.sampled_from(numbered_books), st.data())
def test_every_name_of_every_book_is_read_alike_in_both_languages(
    numbered: tuple, data: st.DataObject
) -> None:
    book, number = numbered
    chapter = data.draw(st.integers(1, book.chapters[number - 1]))
    verse = data.draw(st.integers(1, 176))
    key = f"{number} {book.key}" if book.is_numbered else book.key
    for language, names in book.names.items():
        for name in names:
            for prefix in (f"{number} ", f"{number}. ") if book.is_numbered else ("",):
                text = f"({prefix}{name.title()} {chapter}:{verse})"
                assert references(text, language) == [Reference(key, chapter, verse)]


def test_a_long_text_is_read_in_no_time() -> None:
    started_at = time.perf_counter()
    for text in (
        "first of the " * 300,
        "chapter 3 of the " * 250,
        "1 1 1 1 John " * 300,
        " ," * 2000,
    ):
        references(text, "en")
    assert time.perf_counter() - started_at < 2
