"""Which words translate which, learnt from the very pairs that are to be checked.

Dice's coefficient of stems that occur together (Melamed 2000, "Models of translational
equivalence", calls it the simplest that works): enough to tell a verse from its neighbour, names
first of all, and nothing to translate with.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

_STEM_CHARACTERS = 5
# The most frequent stems are articles, pronouns and auxiliaries: they fit everywhere.
_STOP_STEMS = 80
_STOP_SHARE = 0.05
_WORD = re.compile(r"[^\W_]+")


class Lexicon:
    """The words of pairs of texts; pairs are named by their index."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._sources = _stems_of([source for source, _ in pairs])
        self._targets = _stems_of([target for _, target in pairs])
        self._source_counts = Counter(stem for stems in self._sources for stem in stems)
        self._target_counts = Counter(stem for stems in self._targets for stem in stems)
        self._both = Counter(
            (one, other)
            for source, target in zip(self._sources, self._targets, strict=True)
            for one in source
            for other in target
        )

    def stem_count(self, index: int) -> int:
        return len(self._sources[index])

    def score(self, source: int, target: int) -> float | None:
        """How well one pair's target translates another's source, [0, 1].

        None when no stem of the source occurs twice: nothing is known about it.
        """
        known = [stem for stem in self._sources[source] if self._source_counts[stem] > 1]
        if not known:
            return None
        return sum(self._best(stem, self._targets[target]) for stem in known) / len(known)

    def _best(self, stem: str, targets: frozenset[str]) -> float:
        return max(
            (
                2
                * self._both[stem, other]
                / (self._source_counts[stem] + self._target_counts[other])
                for other in targets
            ),
            default=0.0,
        )


def _stems_of(texts: Sequence[str]) -> list[frozenset[str]]:
    stems = [frozenset(_stems(text)) for text in texts]
    counts = Counter(stem for found in stems for stem in found)
    stop = {
        stem for stem, count in counts.most_common(_STOP_STEMS) if count > _STOP_SHARE * len(texts)
    }
    return [found - stop for found in stems]


def _stems(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFD", text.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return [word[:_STEM_CHARACTERS] for word in _WORD.findall(plain)]
