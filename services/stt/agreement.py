"""Which part of a partial can be shown as settled: the prefix that two passes in a row agree on.

LocalAgreement-2 (Macháček et al. 2023, arXiv 2307.14743), with the last words held back: a live
decoder rewrites those most.
"""

from __future__ import annotations

from dataclasses import dataclass

_HELD_BACK_WORDS = 2


@dataclass(frozen=True)
class PartialText:
    """A segment's text while it is being spoken."""

    stable: str
    unstable: str


class LocalAgreement:
    """Follows one segment's partials. Stable text only ever grows."""

    def __init__(self) -> None:
        self._stable: list[str] = []
        self._previous: list[str] = []

    def accept(self, text: str) -> PartialText:
        """The next pass over the segment, from its beginning."""
        words = text.split()
        agreed = 0
        for earlier, later in zip(self._previous, words, strict=False):
            if earlier != later:
                break
            agreed += 1
        agreed = min(agreed, len(words) - _HELD_BACK_WORDS)
        if agreed > len(self._stable) and words[: len(self._stable)] == self._stable:
            self._stable = words[:agreed]
        self._previous = words
        # A pass that rewrites stable words keeps them: what was shown as settled stays.
        return PartialText(" ".join(self._stable), " ".join(words[len(self._stable) :]))
