"""Watches how much is accepted unseen: too little starves training, too much lets errors in. Pure.

Wanted are 40 to 60 % (docs/architecture.md, Collection).
"""

from __future__ import annotations

from collections import deque

from services.collector.bands import Band
from services.collector.pair import ScoredPair

LEAST_WANTED = 0.40
MOST_WANTED = 0.60
WINDOW_PAIRS = 500  # about one sermon
MIN_PAIRS = 200  # of fewer the share is known to no better than 7 points either way
# So much inside again before it counts as back, so that a share at the edge is told once.
_MARGIN = 0.02


class AcceptedShare:
    """The share of accepted pairs among the newest that were measured in full.

    Pairs that miss a signal are left out: they cannot be accepted whatever the threshold, and what
    they miss is told elsewhere.
    """

    def __init__(self) -> None:
        self._accepted: deque[bool] = deque(maxlen=WINDOW_PAIRS)
        self._is_outside = False

    @property
    def ratio(self) -> float | None:
        """Accepted pairs / pairs in the window, [0, 1]; None while there is none."""
        return sum(self._accepted) / len(self._accepted) if self._accepted else None

    @property
    def pair_count(self) -> int:
        """Pairs in the window."""
        return len(self._accepted)

    def add(self, scored: ScoredPair) -> bool:
        """Takes a pair in, the oldest out; whether the share has just left what is wanted."""
        if None in (scored.translation_qe, scored.stt_confidence, scored.marian_agreement):
            return False
        self._accepted.append(scored.band is Band.ACCEPT)
        ratio = self.ratio
        if ratio is None or len(self._accepted) < MIN_PAIRS:
            return False
        margin = _MARGIN if self._is_outside else 0.0
        was_outside = self._is_outside
        self._is_outside = not LEAST_WANTED + margin <= ratio <= MOST_WANTED - margin
        return self._is_outside and not was_outside

    @property
    def advice(self) -> str:
        """What an operator should do, as a sentence; empty while the share is what is wanted."""
        ratio = self.ratio
        if ratio is None or not self._is_outside:
            return ""
        return (
            f"{ratio:.0%} of the last {self.pair_count} pairs were accepted unseen instead of "
            f"{LEAST_WANTED:.0%} to {MOST_WANTED:.0%}: review some of them and fit new thresholds "
            "with `./glossa queue calibrate`"
        )
