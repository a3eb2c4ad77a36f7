"""Other names and numbers in a pair, so that a model learns to copy what it has never seen.

Only what stands equally often in both texts is replaced, and everywhere alike.
"""

from __future__ import annotations

import csv
import functools
import random
import re
from collections import Counter
from pathlib import Path

# Names that sentences of everyday language are full of, and what they are names of.
_REPLACED = {"Tom": "man", "John": "man", "Mary": "woman", "Boston": "place"}


_NAMES = Path(__file__).with_name("names.tsv")
_PSEUDO_SHARE = 0.25
_SURNAME_SHARE = 0.2
_NUMBER = re.compile(r"\d+(?:[.,\u00a0\u202f ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+[.,]\d+|\d+")
_GROUPS = re.compile(r"\d{1,3}(?:[.,\u00a0\u202f ]\d{3})+")
_TIME = re.compile(r"\d:\d")
_YEAR = range(1000, 2100)


def renamed(source: str, target: str, rng: random.Random) -> tuple[str, str]:
    """The pair with other names for its Tom, Mary, John and Boston."""
    taken: set[str] = set()
    for name, nature in _REPLACED.items():
        pattern = re.compile(rf"\b{name}\b")
        count = len(pattern.findall(source))
        if not count or count != len(pattern.findall(target)):
            continue
        new = _name(nature, rng)
        if new in taken or new in source or new in target:
            continue
        taken.add(new)
        source, target = pattern.sub(new, source), pattern.sub(new, target)
    return source, target


def renumbered(source: str, target: str, rng: random.Random) -> tuple[str, str]:
    """The pair with other numbers, as long as they were, each written as it was.

    Unchanged when the texts have not the same numbers in digits, one has none, or one is a time.
    """
    if _TIME.search(source):
        return source, target
    values = Counter(_value(match[0], "en") for match in _NUMBER.finditer(source))
    if not values or values != Counter(
        _value(match[0], "es") for match in _NUMBER.finditer(target)
    ):
        return source, target
    new: dict[str, str] = {}
    for value in values:
        # "1 dollar" is one dollar, and a year stays a year.
        replacement = value if value in ("0", "1") else _other(value, rng)
        if replacement in new.values():
            return source, target
        new[value] = replacement

    def in_place(text: str, language: str) -> str:
        return _NUMBER.sub(
            lambda match: _written(new[_value(match[0], language)], match[0], language), text
        )

    return in_place(source, "en"), in_place(target, "es")


def has_numbers(source: str) -> bool:
    return _NUMBER.search(source) is not None


def _name(nature: str, rng: random.Random) -> str:
    if nature == "place":
        return _invented(rng)
    is_invented = rng.random() < _PSEUDO_SHARE
    first = _invented(rng) if is_invented else rng.choice(_names()[nature])
    if rng.random() >= _SURNAME_SHARE:
        return first
    is_invented = rng.random() < _PSEUDO_SHARE
    return f"{first} {_invented(rng) if is_invented else rng.choice(_names()['surname'])}"


def _invented(rng: random.Random) -> str:
    return "".join(rng.choices(_names()["syllable"], k=rng.choice((2, 2, 3)))).capitalize()


@functools.cache
def _names() -> dict[str, list[str]]:
    """Names of men and women, surnames, and syllables to make up others of."""
    found: dict[str, list[str]] = {}
    with _NAMES.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            found.setdefault(row["nature"], []).append(row["name"])
    return found


def _value(written: str, language: str) -> str:
    """Digits, with "." before decimals: "1.600" is 1600 in Spanish and 1.6 nowhere."""
    if _GROUPS.fullmatch(written):
        return re.sub(r"\D", "", written)
    groups, point = (",", ".") if language == "en" else (".", ",")
    return re.sub(r"\s", "", written).replace(groups, "").replace(point, ".")


def _other(value: str, rng: random.Random) -> str:
    whole, _, decimals = value.partition(".")
    if int(whole) in _YEAR and not decimals:
        new = str(rng.randint(1500, 2035))
    else:
        least = 2 if len(whole) == 1 else 10 ** (len(whole) - 1)
        new = str(rng.randint(least, 10 ** len(whole) - 1))
    if decimals:
        new += "." + "".join(rng.choices("123456789", k=len(decimals)))
    return new


def _written(value: str, like: str, language: str) -> str:
    whole, _, decimals = value.partition(".")
    separator = re.search(r"(?<=\d)[.,\s](?=\d{3})", like)
    if separator and len(whole) > 3:
        whole = f"{int(whole):,}".replace(",", separator[0])
    point = "." if language == "en" else ","
    return f"{whole}{point}{decimals}" if decimals else whole
