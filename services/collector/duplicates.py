"""The same sentence again, exactly or nearly. Pure and deterministic."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from datasketch import MinHash, MinHashLSH

from services.collector.filters import words

# Five characters suit short texts (Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets",
# 3.2.2): words would be too coarse for sentences of ten of them.
SHINGLE_CHARACTERS = 5
# The Jaccard similarity from which Lee et al. 2022 ("Deduplicating Training Data Makes Language
# Models Better", section 4.2) take two texts for the same.
NEAR_DUPLICATE_SIMILARITY = 0.8
# Two texts of similarity s are proposed with probability 1 - (1 - s^rows)^bands (3.4.2 there).
# What is proposed is compared exactly, so it may well be too much: 13 % of pairs at 0.5.
_BANDS, _ROWS = 18, 7


def normalised(text: str) -> str:
    """The text without what makes no other sentence of it: case, punctuation, spaces, NFKC forms.

    Accents stay: "esta" and "está" are two words.
    """
    return " ".join(words(text))


def shingles(text: str) -> frozenset[str]:
    """The runs of five characters of the normalised text; itself when it is shorter."""
    plain = normalised(text)
    last = max(1, len(plain) - SHINGLE_CHARACTERS + 1)
    return frozenset(plain[start : start + SHINGLE_CHARACTERS] for start in range(last))


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of two texts' shingles, [0, 1]; 1 for texts that are the same."""
    first, second = shingles(one), shingles(other)
    return len(first & second) / len(first | second)


class Sentences:
    """Sentences seen so far, to be asked for those that are nearly another one.

    MinHash with banded locality-sensitive hashing (Broder 1997; Leskovec et al., 3.3 and 3.4)
    proposes, exact similarity decides. A near duplicate can be missed (one in seventy at 0.8, none
    in a hundred thousand at 0.9); nothing else is ever taken for one.
    """

    def __init__(self) -> None:
        self._index = MinHashLSH(num_perm=_BANDS * _ROWS, params=(_BANDS, _ROWS))
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []

    def add(self, text: str) -> int:
        """Takes a sentence in; its number, from 0 on: the same for the same normalised text."""
        plain = normalised(text)
        if plain not in self._numbers:
            self._numbers[plain] = len(self._texts)
            self._index.insert(len(self._texts), _signature(plain))
            self._texts.append(plain)
        return self._numbers[plain]

    def like(self, text: str) -> list[int]:
        """Numbers of the sentences seen that are this one or nearly so, in order."""
        if not self._texts:
            return []
        plain = normalised(text)
        proposed = set(self._index.query(_signature(plain)))
        if plain in self._numbers:
            proposed.add(self._numbers[plain])
        return sorted(
            number
            for number in proposed
            if similarity(plain, self._texts[number]) >= NEAR_DUPLICATE_SIMILARITY
        )


def clusters(texts: Sequence[str], seen: Sentences | None = None) -> list[int]:
    """The cluster of each text: near duplicates, and near duplicates of those, share one.

    Clusters are numbered from 0 in the order in which they appear; which texts share one does not
    depend on the order.

    Args:
        seen: takes the texts in; nothing may be in there yet.
    """
    sentences = Sentences() if seen is None else seen
    parents: list[int] = []

    def root(number: int) -> int:
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    numbers = []
    for text in texts:
        number = sentences.add(text)
        numbers.append(number)
        if number == len(parents):
            parents.append(number)
            for similar in sentences.like(text):
                parents[root(similar)] = root(number)
    names: dict[int, int] = {}
    return [names.setdefault(root(number), len(names)) for number in numbers]


@functools.lru_cache(maxsize=64)  # a sentence is looked for right before or after it is added
def _signature(plain: str) -> MinHash:
    signature = MinHash(num_perm=_BANDS * _ROWS)
    signature.update_batch([shingle.encode() for shingle in sorted(shingles(plain))])
    return signature
