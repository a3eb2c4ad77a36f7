"""Where a church's own terms stand in a text, so that they can count for more in training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from services.errors import InvalidInput
from services.mt import glossary_file
from services.mt.sense import WORD, folded, key
from training.clips.pseudo_labels import corrections

_WITHIN_A_TERM = frozenset(" -\u2019'")


class Terms:
    """Terms of one language, found by their words whatever their case."""

    def __init__(self, terms: Iterable[str]) -> None:
        self._terms = frozenset(words for term in terms if (words := key(term)))
        self._longest = max(map(len, self._terms), default=0)

    def __len__(self) -> int:
        return len(self._terms)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Characters [start, end) of each: the longest at each word, none overlapping."""
        found = list(WORD.finditer(text))
        words = tuple(folded(match.group()) for match in found)
        spans = []
        index = 0
        while index < len(words):
            for length in range(min(self._longest, len(words) - index), 0, -1):
                at = found[index : index + length]
                if words[index : index + length] in self._terms and all(
                    set(text[one.end() : other.start()]) <= _WITHIN_A_TERM
                    for one, other in pairwise(at)
                ):
                    spans.append((at[0].start(), at[-1].end()))
                    index += length
                    break
            else:
                index += 1
        return spans


def read_terms(glossary: Path, languages: tuple[str, str]) -> dict[str, Terms]:
    """The terms of a glossary of mt by language, and the names that stt mends in each.

    Args:
        languages: of its first and its second column.

    Raises:
        Unavailable: GLOSSARY_UNREADABLE, CORRECTIONS_UNREADABLE.
        InvalidInput: BAD_LANGUAGES.
    """
    first, second = languages
    if first == second:
        raise InvalidInput("BAD_LANGUAGES", "--glossary-languages are two: en es")
    rows = glossary_file.read(glossary)
    return {
        first: Terms([*(row.source for row in rows), *corrections(first).intended_terms()]),
        second: Terms([*(row.target for row in rows), *corrections(second).intended_terms()]),
    }


def token_weights(
    offsets: Sequence[tuple[int, int]], spans: Iterable[tuple[int, int]], weight: float
) -> list[float]:
    """A weight a token: `weight` where it holds a character of a term, else 1.

    Args:
        offsets: characters [start, end) of each token.
        spans: of the terms.
    """
    in_terms = {at for start, end in spans for at in range(start, end)}
    return [weight if not in_terms.isdisjoint(range(start, end)) else 1.0 for start, end in offsets]
