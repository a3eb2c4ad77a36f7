"""The text of a partial: settled words first, misheard terms mended, nothing shown taken back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.stt.agreement import Commitment
from services.stt.corrections import Corrections
from services.stt.engine import HypothesisWord


@dataclass(frozen=True)
class PartialText:
    """A segment's text while it is being spoken."""

    stable: str
    unstable: str


@dataclass(frozen=True)
class _Piece:
    """Shown words that stand or fall together, for the recognised words [first, end)."""

    texts: tuple[str, ...]
    first: int
    end: int


class StableText:
    """One segment's partials as they are shown. Stable text only ever grows.

    A correction is stable when all words that it stands for are. One that comes too late for what
    is stable already is left to the final.
    """

    def __init__(self, corrections: Corrections) -> None:
        self._corrections = corrections
        self._shown: list[str] = []
        self._covered = 0  # recognised words that the shown ones stand for

    def show(self, commitment: Commitment) -> PartialText:
        """The next pass; its stable words begin with those of the pass before."""
        unstable: list[str] = []
        for piece in self._pieces((*commitment.stable, *commitment.unstable)):
            if piece.end <= len(commitment.stable) and not unstable:
                self._shown += piece.texts
                self._covered = piece.end
            else:
                unstable += piece.texts
        return PartialText(" ".join(self._shown), " ".join(unstable))

    def _pieces(self, words: Sequence[HypothesisWord]) -> Iterator[_Piece]:
        """What comes after the words that are shown already."""
        mended = self._corrections.apply(words)
        lengths = {c.word_index: len(c.intended.split()) for c in mended.corrections}
        index = 0
        while index < len(mended.words):
            group = mended.words[index : index + lengths.get(index, 1)]
            index += len(group)
            first, end = group[0].first_word, group[-1].end_word
            if first >= self._covered:
                yield _Piece(tuple(word.text for word in group), first, end)
            else:
                for late in range(self._covered, end):
                    yield _Piece((words[late].text,), late, late + 1)
