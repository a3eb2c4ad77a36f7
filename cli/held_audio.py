"""The audio that a speaker's client must be able to send again."""

from __future__ import annotations

from bisect import bisect_right

from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ


class HeldAudio:
    """Chunks in order of their samples; whoever fills it looks at `held_s` and stops in time."""

    def __init__(self) -> None:
        self._first_samples: list[int] = []
        self._chunks: list[bytes] = []
        self.end_sample = 0  # first sample that has not been added

    @property
    def held_s(self) -> float:
        """Duration of what is held, gaps included."""
        if not self._first_samples:
            return 0.0
        return (self.end_sample - self._first_samples[0]) / SAMPLE_RATE_HERTZ

    def add(self, first_sample: int, data: bytes) -> None:
        self._first_samples.append(first_sample)
        self._chunks.append(data)
        self.end_sample = first_sample + len(data) // BYTES_PER_SAMPLE

    def release(self, safe_sample: int) -> None:
        """Lets go of the chunks that lie wholly below `safe_sample`."""
        done = 0
        while done < len(self._chunks) and self._end(done) <= safe_sample:
            done += 1
        del self._first_samples[:done], self._chunks[:done]

    def chunk_at(self, sample: int) -> tuple[int, bytes] | None:
        """The chunk that holds `sample`, cut to begin there, or the next one; None at the end."""
        index = max(0, bisect_right(self._first_samples, sample) - 1)
        while index < len(self._chunks) and self._end(index) <= sample:
            index += 1
        if index == len(self._chunks):
            return None
        first_sample, data = self._first_samples[index], self._chunks[index]
        cut = max(0, sample - first_sample)
        return first_sample + cut, data[cut * BYTES_PER_SAMPLE :]

    def _end(self, index: int) -> int:
        return self._first_samples[index] + len(self._chunks[index]) // BYTES_PER_SAMPLE


class SendTimes:
    """When each sample was first sent; the newest hours are kept."""

    _LIMIT = 200_000  # chunks: more than five hours at 100 ms

    def __init__(self) -> None:
        self._end_samples: list[int] = []
        self._times_s: list[float] = []

    def add(self, end_sample: int, time_s: float) -> None:
        """Everything below `end_sample` has been sent; a second sending changes nothing."""
        if self._end_samples and end_sample <= self._end_samples[-1]:
            return
        if len(self._end_samples) >= self._LIMIT:
            del self._end_samples[: self._LIMIT // 2], self._times_s[: self._LIMIT // 2]
        self._end_samples.append(end_sample)
        self._times_s.append(time_s)

    def of(self, end_sample: int) -> float | None:
        """When the last sample below `end_sample` was sent; None if it was not."""
        index = bisect_right(self._end_samples, end_sample - 1)
        return self._times_s[index] if index < len(self._times_s) else None
