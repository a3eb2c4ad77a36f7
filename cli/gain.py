"""Automatic gain: a quiet microphone is brought to a level at which speech is found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.audio import SAMPLE_RATE_HERTZ

TARGET_DBFS = -20.0  # mean level of speech; leaves room for its peaks (EBU R 128 aims at -23 LUFS)
MAX_GAIN_DB = 30.0
MIN_GAIN_DB = -12.0
_PEAK_LIMIT = 10 ** (-1 / 20)  # -1 dBFS
# Upwards slowly, or the first word after a pause would come in like a shout.
_RISE_DB_PER_S = 6.0
_FALL_DB_PER_S = 30.0
# Speech stands out of the room by so much; what does not is never made louder.
_SPEECH_OVER_FLOOR_DB = 9.0
_FLOOR_RISE_DB_PER_S = 1.0
_SILENCE_DBFS = -70.0


class AutoGain:
    """Follows the level of one source, a chunk at a time."""

    def __init__(self) -> None:
        self.gain_db = 0.0
        self._floor_dbfs: float | None = None  # of the room

    def apply(self, data: bytes) -> bytes:
        """16-bit samples in, as many out, at the level wanted and never clipped."""
        samples = np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0
        if not len(samples):
            return data
        duration_s = len(samples) / SAMPLE_RATE_HERTZ
        before_db = self.gain_db
        self._follow(samples, duration_s)
        gains = _linear(np.linspace(before_db, self.gain_db, len(samples), dtype=np.float32))
        peak = float(np.abs(samples * gains).max())
        if peak > _PEAK_LIMIT:  # this once, the whole chunk: a part of it alone would be distorted
            excess_db = 20 * np.log10(peak / _PEAK_LIMIT)
            self.gain_db = max(MIN_GAIN_DB, self.gain_db - float(excess_db))
            gains *= np.float32(_PEAK_LIMIT / peak)
        shaped: bytes = (
            np.rint(samples * gains * 32768.0).clip(-32768, 32767).astype("<i2").tobytes()
        )
        return shaped

    def _follow(self, samples: NDArray[np.float32], duration_s: float) -> None:
        power = float(np.mean(samples.astype(np.float64) ** 2))
        level_dbfs = 10 * np.log10(power) if power > 0 else -100.0
        if level_dbfs < _SILENCE_DBFS:
            return
        floor = self._floor_dbfs
        risen = level_dbfs if floor is None else floor + _FLOOR_RISE_DB_PER_S * duration_s
        self._floor_dbfs = min(level_dbfs, risen)
        if floor is None or level_dbfs < self._floor_dbfs + _SPEECH_OVER_FLOOR_DB:
            return
        wanted_db = min(MAX_GAIN_DB, max(MIN_GAIN_DB, TARGET_DBFS - level_dbfs))
        step_db = wanted_db - self.gain_db
        limit_db = (_RISE_DB_PER_S if step_db > 0 else _FALL_DB_PER_S) * duration_s
        self.gain_db += min(max(step_db, -limit_db), limit_db)


def _linear(gains_db: NDArray[np.float32]) -> NDArray[np.float32]:
    linear: NDArray[np.float32] = (10.0 ** (gains_db / 20)).astype(np.float32)
    return linear
