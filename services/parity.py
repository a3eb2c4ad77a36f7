"""Whether a translation says the numbers, Bible references and denials that its source says.

Pure functions of str; mt checks its translations with them and qe reports them as signals, hence
they are shared. Each value is in [0, 1], greater is better. None: there is nothing to measure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable
from typing import TypeVar

from services import bible_references as references
from services import spoken_numbers

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")

T = TypeVar("T", bound=Hashable)

# How many times, in one word. No numbers of their own: "read Psalm 23 twice" names no verse.
_MULTIPLES = {
    "en": {"twice": "2", "double": "2", "thrice": "3", "triple": "3"},
    "es": {"doble": "2", "triple": "3"},
}

# fmt: off
_NEGATIONS = {
    "en": frozenset((
        "not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "cannot",
        "without",
        # Recognisers write contractions with or without the apostrophe.
        "dont", "doesnt", "didnt", "cant", "couldnt", "wont", "wouldnt", "shouldnt", "isnt",
        "arent", "wasnt", "werent", "hasnt", "havent", "hadnt", "mustnt", "aint",
    )),
    "es": frozenset((
        "no", "nunca", "jamás", "nada", "nadie", "ninguno", "ninguna", "ningún", "ningunos",
        "ningunas", "ni", "tampoco", "sin",
    )),
}
# fmt: on


def number_parity(
    source: str, target: str, source_language: str, target_language: str
) -> float | None:
    """How many of the numbers on either side stand on the other: 2 * shared / all; 1 without any.

    Reads digits ("3:16" is 3 and 16; "1,000" and "1.000" are the same) and, when it knows the words
    of both languages, number words, so "chapter three" agrees with "capítulo 3". The number 1 is
    left out: its words are articles too. "Twice" and "el doble" are 2.
    """
    with_words = spoken_numbers.knows(source_language) and spoken_numbers.knows(target_language)
    of_source, of_target = (
        numbers_said(text, language if with_words else "")
        for text, language in ((source, source_language), (target, target_language))
    )
    share = _shared(of_source, of_target)
    return 1.0 if share is None else share


def numbers_said(text: str, language: str) -> Counter[str]:
    """The numbers in a text but 1, in digits and, where the language is known, in words."""
    multiples = _MULTIPLES.get(language, {})
    return Counter(
        number.value for number in spoken_numbers.numbers(text, language) if number.value != "1"
    ) + Counter(
        multiples[word] for word in map(str.casefold, _WORD.findall(text)) if word in multiples
    )


def bible_references(
    source: str, target: str, source_language: str, target_language: str
) -> float | None:
    """How many of the Bible references on either side stand on the other: 2 * shared / all.

    A reference is a book with its chapter and, if it is said, the first verse, spoken or written:
    "first John chapter three verse sixteen" is "Primera de Juan 3:16". None without any, and where
    the names of the books are not known in a language.
    """
    if not (references.knows(source_language) and references.knows(target_language)):
        return None
    return _shared(
        Counter(references.references(source, source_language)),
        Counter(references.references(target, target_language)),
    )


def negation_parity(
    source: str, target: str, source_language: str, target_language: str
) -> float | None:
    """1 when both texts deny something or neither does, 0 when one alone does.

    Counts are not compared: Spanish doubles its negations. None without the words of a language.
    """
    if source_language not in _NEGATIONS or target_language not in _NEGATIONS:
        return None
    return float(_is_negated(source, source_language) == _is_negated(target, target_language))


def _is_negated(text: str, language: str) -> bool:
    return any(
        word in _NEGATIONS[language] or (language == "en" and word.endswith("n't"))
        for word in (word.replace("’", "'").casefold() for word in _WORD.findall(text))
    )


def _shared(of_source: Counter[T], of_target: Counter[T]) -> float | None:
    """2 * shared / all (Dice), counted as often as they stand there; None without any."""
    total = of_source.total() + of_target.total()
    return 2 * (of_source & of_target).total() / total if total else None
