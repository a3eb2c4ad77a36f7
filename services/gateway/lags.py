"""How late the newest captions of a session came."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

from services.gateway import metrics

_FINALS_COUNTED = 64
_NEWEST_COUNTED = 3
_NEWEST_WITHIN_S = 30.0
TRANSCRIPT = "transcript"


@dataclass(frozen=True)
class Lag:
    """From the arrival of a segment's last speech to its event in the journal."""

    stage: str
    p50_ms: float
    p95_ms: float
    count: int


class Lags:
    """The lags of the newest finals and of their translations, in memory alone."""

    def __init__(self, target_languages: Iterable[str]) -> None:
        stages = (TRANSCRIPT, *map(_stage, target_languages))
        self._lags_s = {stage: deque[float](maxlen=_FINALS_COUNTED) for stage in stages}
        self._arrived_at: OrderedDict[int, float] = OrderedDict()  # of time.monotonic()
        self._noted_at = -math.inf  # the newest lag, of time.monotonic()

    def newest_s(self) -> float:
        """The lag that the newest finals had, or their translations if that is greater.

        A median of a few, so that one slow sentence is not taken for a slow machine; 0 when there
        was none for a while, since what was slow then says nothing of now.
        """
        if time.monotonic() - self._noted_at > _NEWEST_WITHIN_S:
            return 0.0
        newest = (list(lags_s)[-_NEWEST_COUNTED:] for lags_s in self._lags_s.values())
        return max((_quantile_s(lags_s, 0.5) for lags_s in newest if lags_s), default=0.0)

    def heard(self, segment_id: int, arrived_at: float) -> float:
        """A final is journalled; returns its lag in seconds.

        Args:
            arrived_at: when its last speech came, of time.monotonic().
        """
        self._arrived_at[segment_id] = arrived_at
        if len(self._arrived_at) > _FINALS_COUNTED:
            self._arrived_at.popitem(last=False)
        lag_s = time.monotonic() - arrived_at
        metrics.LAG_SECONDS.labels(TRANSCRIPT).observe(lag_s)
        self._lags_s[TRANSCRIPT].append(lag_s)
        self._noted_at = time.monotonic()
        return lag_s

    def translated(self, segment_id: int, language: str) -> None:
        """A final's translation is journalled."""
        arrived_at = self._arrived_at.get(segment_id)
        if arrived_at is not None:
            lag_s = time.monotonic() - arrived_at
            metrics.LAG_SECONDS.labels(_stage(language)).observe(lag_s)
            self._lags_s[_stage(language)].append(lag_s)
            self._noted_at = time.monotonic()

    def figures(self) -> list[Lag]:
        """The transcript's first, then those of the target languages; those that are known."""
        return [
            Lag(stage, _quantile_ms(lags_s, 0.5), _quantile_ms(lags_s, 0.95), len(lags_s))
            for stage, lags_s in self._lags_s.items()
            if lags_s
        ]


def _stage(language: str) -> str:
    return f"translation:{language}"


def _quantile_ms(values_s: Iterable[float], share: float) -> float:
    return round(_quantile_s(values_s, share) * 1000, 1)


def _quantile_s(values_s: Iterable[float], share: float) -> float:
    """The least value that `share` of all do not exceed."""
    ordered = sorted(values_s)
    return ordered[math.ceil(len(ordered) * share) - 1]
