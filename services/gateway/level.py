"""How loud the newest audio is, for a meter."""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

import numpy as np

from services.audio import SAMPLE_RATE_HERTZ

_WINDOW_SAMPLES = SAMPLE_RATE_HERTZ // 4
_FRESH_S = 2.0  # a meter that shows more than this has frozen
_FULL_SCALE = 32768.0
_SILENCE_DBFS = -100.0


@dataclass(frozen=True)
class Loudness:
    """In decibels to full scale, -100 to 0: the root mean square, and the loudest sample."""

    level_dbfs: float
    peak_dbfs: float


@dataclass(frozen=True)
class _Piece:
    sample_count: int
    square_sum: float
    peak: float


class Level:
    """The loudness of the newest quarter of a second, chunk by chunk."""

    def __init__(self) -> None:
        self._pieces: deque[_Piece] = deque()
        self._sample_count = 0
        self._taken_at = -math.inf

    def take(self, data: bytes) -> None:
        """Takes a chunk in: 16-bit samples, little-endian."""
        samples = np.frombuffer(data, dtype="<i2")[-_WINDOW_SAMPLES:].astype(np.float32)
        self._pieces.append(
            _Piece(len(samples), float(np.dot(samples, samples)), float(np.abs(samples).max()))
        )
        self._sample_count += len(samples)
        while self._sample_count - self._pieces[0].sample_count >= _WINDOW_SAMPLES:
            self._sample_count -= self._pieces.popleft().sample_count
        self._taken_at = time.monotonic()

    def now(self) -> Loudness | None:
        """None when no audio has come for two seconds."""
        if time.monotonic() - self._taken_at > _FRESH_S:
            return None
        mean_square = sum(piece.square_sum for piece in self._pieces) / self._sample_count
        return Loudness(
            _dbfs(math.sqrt(mean_square)), _dbfs(max(piece.peak for piece in self._pieces))
        )


def _dbfs(amplitude: float) -> float:
    if amplitude <= 0:
        return _SILENCE_DBFS
    return round(max(_SILENCE_DBFS, 20 * math.log10(amplitude / _FULL_SCALE)), 1)
