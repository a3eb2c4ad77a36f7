"""From any sample rate to the 16 kHz that sessions have, by the SoX resampler."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from services.audio import SAMPLE_RATE_HERTZ


class Resampler:
    """A stream of mono samples; what comes out is aligned with what went in."""

    def __init__(self, rate_hertz: int) -> None:
        self._stream = soxr.ResampleStream(rate_hertz, SAMPLE_RATE_HERTZ, 1, dtype="float32")

    def accept(self, samples: NDArray[np.int16]) -> bytes:
        """Mono 16-bit samples in, 16-bit samples out, some of them with a later call."""
        return _pcm(self._stream.resample_chunk(samples.astype(np.float32) / 32768.0))

    def finish(self) -> bytes:
        """What is still inside; the resampler must not be used again."""
        return _pcm(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))


def _pcm(samples: NDArray[np.float32]) -> bytes:
    # A filter overshoots at the edges of full scale; wrapping round would be a click.
    clipped = np.clip(np.rint(samples * 32768.0), -32768, 32767)
    pcm: bytes = clipped.astype("<i2").tobytes()
    return pcm
