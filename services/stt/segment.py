"""One segment of a stream, and the samples that an open one may still need."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from services.stt.engine import Samples
from services.stt.policy import SegmentClosed


@dataclass(eq=False)
class Segment:
    """One segment from its beginning to its final."""

    first_sample: int
    settled_sample: int  # nothing below it is needed while this segment is the oldest
    segment_id: int = 0  # 0 until it is announced
    revision: int = 0
    is_open: bool = True
    is_cut: bool = False  # speech goes on in the next segment
    is_settled: bool = False
    # For partials.
    fed_sample: int = 0
    gets_partials: bool = True
    # Of the last partial.
    stable_text: str = ""
    has_unstable_text: bool = False
    model: str = ""


@dataclass(frozen=True)
class ClosedSegment:
    segment: Segment
    boundary: SegmentClosed
    samples: Samples
    closed_at_s: float  # time.monotonic()


class RecentAudio:
    """The last samples of a stream, by their index in the session."""

    def __init__(self) -> None:
        self._windows: deque[tuple[int, Samples]] = deque()

    def append(self, first_sample: int, window: Samples) -> None:
        self._windows.append((first_sample, window))

    def between(self, first_sample: int, end_sample: int) -> Samples:
        pieces = [
            window[max(0, first_sample - first) : end_sample - first]
            for first, window in self._windows
            if first < end_sample and first + len(window) > first_sample
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.float32)

    def drop_before(self, sample: int) -> None:
        while self._windows and self._windows[0][0] + len(self._windows[0][1]) <= sample:
            self._windows.popleft()
