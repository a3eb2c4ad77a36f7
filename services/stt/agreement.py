"""Which words of a partial can be shown as settled.

LocalAgreement-2 (Macháček et al. 2023, arXiv 2307.14743): the prefix that two passes in a row over
the growing audio agree on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.stt.engine import Hypothesis, HypothesisWord
from services.stt.sentences import has_end_mark

_PUNCTUATION = ".,;:!?…—–-¿¡\"'“”‘’«»()[]。，！？؟"


@dataclass(frozen=True)
class Commitment:
    """A pass over a segment, divided. Times are those of the pass that settled a word."""

    stable: tuple[HypothesisWord, ...]  # will not change any more
    unstable: tuple[HypothesisWord, ...]


class CommitPolicy(Protocol):
    """Follows one segment's passes and says what of them is settled.

    It sees whole hypotheses and no text, so that a policy such as AlignAtt (arXiv 2305.11408) can
    decide by what a decoder tells of each word; that would be another field of HypothesisWord: the
    audio that its cross-attention looked at most.
    """

    def accept(self, hypothesis: Hypothesis) -> Commitment:
        """The next pass over the segment, from its beginning. Stable words only ever grow."""


class LocalAgreement:
    """LocalAgreement-2 by words.

    Words agree when they differ in case and punctuation alone, and the newer spelling is taken:
    what the definition settles is settled no later. A mark that ends a sentence has to be seen
    twice: recognisers put one wherever the audio stops.

    The definition settles nothing more once a pass rewrites settled words. Here they stay, and the
    passes' other words go on from where the pass seems to have them.

    Args:
        held_back_words: last words of a pass on which agreement says nothing.
    """

    def __init__(self, held_back_words: int = 0) -> None:
        self._held_back_words = held_back_words
        self._stable: tuple[HypothesisWord, ...] = ()
        self._previous: tuple[HypothesisWord, ...] = ()

    def accept(self, hypothesis: Hypothesis) -> Commitment:
        words = hypothesis.words
        earlier = self._previous[_settled_count(self._stable, self._previous) :]
        start = _settled_count(self._stable, words)
        end = start
        later = words[start : max(start, len(words) - self._held_back_words)]
        for then, now in zip(earlier, later, strict=False):
            if not _agree(then.text, now.text):
                break
            end += 1
        self._stable += words[start:end]
        self._previous = words
        return Commitment(self._stable, words[end:])


def _agree(then: str, now: str) -> bool:
    return _folded(then) == _folded(now) and (has_end_mark(then) or not has_end_mark(now))


def _folded(word: str) -> str:
    return word.strip(_PUNCTUATION).casefold() or word


def _settled_count(stable: Sequence[HypothesisWord], words: Sequence[HypothesisWord]) -> int:
    """How many of a pass's first words stand for the settled ones.

    The prefix with the least edit distance to them, the longest of several: a settled word never
    comes a second time.
    """
    settled = [_folded(word.text) for word in stable]
    found = [_folded(word.text) for word in words]
    if found[: len(settled)] == settled:
        return len(settled)
    # One row of the usual table for each settled word; a column for each prefix of the pass.
    distances = list(range(len(found) + 1))
    for row, wanted in enumerate(settled, start=1):
        diagonal, distances[0] = distances[0], row
        for column, word in enumerate(found, start=1):
            changed = diagonal + (word != wanted)
            diagonal = distances[column]
            distances[column] = min(changed, diagonal + 1, distances[column - 1] + 1)
    return max(range(len(distances)), key=lambda column: (-distances[column], column))
