"""Names of the books of the Bible, and places in them, as they are said and as they are written."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from training.rows import Row

_UNITS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = {"1": "First", "2": "Second", "3": "Third"}
_MOST_VERSES = 40

# "Romans eight twenty-eight", as it is said in passing.
_SAID = ("{b} {C} {V}", "{b} {c}:{v}")
# English, Spanish: {b} book, {c} chapter, {v} verse, {w} a later verse; {C}, {V} in words.
_PLACES = (
    ("{b} {c}:{v}", "{b} {c}:{v}"),
    ("{b} {c}:{v}", "{b} {c}:{v}"),
    ("{b} {c}:{v}-{w}", "{b} {c}:{v}-{w}"),
    _SAID,
    ("{b} chapter {c}, verse {v}", "{b} capítulo {c}, versículo {v}"),
    ("{b} chapter {c} verse {v}", "{b} capítulo {c}, versículo {v}"),
    ("{b} chapter {C}, verse {V}", "{b} capítulo {c}, versículo {v}"),
    ("{b} chapter {C} verse {v}", "{b} capítulo {c}, versículo {v}"),
    ("{b}, chapter {c}, verses {v} to {w}", "{b}, capítulo {c}, versículos {v} al {w}"),
    ("{b} {c}, verses {v} through {w}", "{b} {c}, versículos {v} al {w}"),
    ("{b} chapter {c}", "{b} capítulo {c}"),
    ("{b} {c}", "{b} {c}"),
)
_SENTENCES = (
    ("{p}", "{p}"),
    ("{p}.", "{p}."),
    ("Turn with me in your Bibles to {p}.", "Abran sus Biblias conmigo en {p}."),
    ("Please turn with me to {p}.", "Por favor, abran conmigo en {p}."),
    ("Let us read {p}.", "Leamos {p}."),
    ("We are reading from {p}.", "Estamos leyendo {p}."),
    ("In {p} we read about this.", "En {p} leemos acerca de esto."),
    ("Paul says the same thing as in {p}.", "Pablo dice lo mismo que en {p}."),
    ("The text for today is {p}.", "El texto de hoy es {p}."),
    ("Look at {p} with me.", "Miren conmigo {p}."),
    ("This is what {p} says.", "Esto es lo que dice {p}."),
    ("You will find it in {p}.", "Lo encontrarán en {p}."),
    ("Have you read {p}?", "¿Han leído {p}?"),
)
_BOOKS = (
    ("{b}", "{b}"),
    ("the book of {b}", "el libro de {b}"),
    ("We are studying the book of {b}.", "Estamos estudiando el libro de {b}."),
    ("Open your Bibles to the book of {b}.", "Abran sus Biblias en el libro de {b}."),
)


def reference_rows(
    books: Sequence[Mapping[str, str]], per_book: int, rng: random.Random
) -> Iterator[Row]:
    """Rows about each book: its name alone and in sentences, and `per_book` places in it.

    Args:
        books: rows of glossary/book_names.tsv.
    """
    for book in books:
        english, spanish = book["en"], book["es"]
        for source, target in _BOOKS:
            yield _row(source.format(b=english), target.format(b=spanish))
        for _ in range(per_book):
            source, target = _place(english, spanish, int(book["chapters"]), rng)
            before, after = rng.choice(_SENTENCES)
            yield _row(before.format(p=source), after.format(p=target))


def _place(english: str, spanish: str, chapters: int, rng: random.Random) -> tuple[str, str]:
    chapter, verse = rng.randint(1, chapters), rng.randint(1, _MOST_VERSES)
    later = rng.randint(verse + 1, verse + 9)
    places = [form for form in _PLACES if form != _SAID or not _runs_together(chapter, verse)]
    source, target = rng.choice(places)
    if rng.random() < 0.5 and english[0] in _ORDINALS:
        english = f"{_ORDINALS[english[0]]}{english[1:]}"
    if english == "Psalms" and rng.random() < 0.8:
        english, spanish = "Psalm", "Salmo"
    numbers = {"c": chapter, "v": verse, "w": later}
    words = {"C": number_in_words(chapter), "V": number_in_words(verse)}
    return source.format(b=english, **numbers, **words), target.format(b=spanish, **numbers)


def _runs_together(chapter: int, verse: int) -> bool:
    """Whether both numbers, said one after the other, are one: "twenty two", "one hundred five"."""
    return chapter >= 20 and chapter % 10 == 0 and (verse < 10 or chapter >= 100)


def number_in_words(number: int) -> str:
    """English words of a number from 1 to 199, as a recogniser without digits writes it."""
    if number >= 100:
        rest = f" {number_in_words(number - 100)}" if number > 100 else ""
        return f"one hundred{rest}"
    if number < 20:
        return _UNITS[number]
    unit = f"-{_UNITS[number % 10]}" if number % 10 else ""
    return f"{_TENS[number // 10]}{unit}"


def _row(source: str, target: str) -> Row:
    return Row(source, target, "glossary", "references")
