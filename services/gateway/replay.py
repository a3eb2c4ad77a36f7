"""The audio of a session that may still be needed: what stt has not settled yet."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ


@dataclass(frozen=True)
class Chunk:
    """Samples [first_sample, end_sample) and when they came (time.monotonic())."""

    first_sample: int
    data: bytes
    arrived_at: float

    @property
    def end_sample(self) -> int:
        return self.first_sample + len(self.data) // BYTES_PER_SAMPLE


class ReplayBuffer:
    """Chunks in order; read by position so that a reopened stt stream can start over.

    It grows only while the caller allows: ask `unsent_s` and `kept_s` before appending.
    """

    def __init__(self, settled_sample: int) -> None:
        self._chunks: deque[Chunk] = deque()
        self._first_index = 0  # position of _chunks[0]
        self._cursor = 0  # position of the next chunk to send
        self.settled_sample = settled_sample

    def append(self, first_sample: int, data: bytes) -> None:
        self._chunks.append(Chunk(first_sample, data, time.monotonic()))

    def next_unsent(self, before_sample: int | None = None) -> Chunk | None:
        """The next chunk to send; its samples below settled_sample are cut off.

        Args:
            before_sample: chunks that begin here or later are not to be sent yet.
        """
        while self._cursor < self._first_index + len(self._chunks):
            chunk = self._chunks[self._cursor - self._first_index]
            if before_sample is not None and chunk.first_sample >= before_sample:
                return None
            self._cursor += 1
            cut_samples = self.settled_sample - chunk.first_sample
            if cut_samples <= 0:
                return chunk
            if cut_samples < chunk.end_sample - chunk.first_sample:
                return Chunk(
                    self.settled_sample,
                    chunk.data[cut_samples * BYTES_PER_SAMPLE :],
                    chunk.arrived_at,
                )
        return None

    def rewind(self) -> None:
        """Sends everything above settled_sample again."""
        self._cursor = self._first_index

    def settle(self, sample: int) -> None:
        """Forgets the chunks that lie wholly below `sample`."""
        self.settled_sample = max(self.settled_sample, sample)
        while self._chunks and self._chunks[0].end_sample <= self.settled_sample:
            self._chunks.popleft()
            self._first_index += 1
        self._cursor = max(self._cursor, self._first_index)

    @property
    def sent_sample(self) -> int:
        """Every sample below it that was kept has been sent since the last rewind."""
        sent_count = self._cursor - self._first_index
        return self._chunks[sent_count - 1].end_sample if sent_count else self.settled_sample

    def unsent_s(self) -> float:
        """Audio not sent yet, in seconds."""
        unsent = self._first_index + len(self._chunks) - self._cursor
        return self._duration_s(unsent)

    def kept_s(self) -> float:
        """All audio that is kept, in seconds."""
        return self._duration_s(len(self._chunks))

    def arrival_of(self, sample: int) -> float | None:
        """When a sample came (time.monotonic()); None if its chunk is no longer kept."""
        for chunk in self._chunks:
            if chunk.first_sample <= sample < chunk.end_sample:
                return chunk.arrived_at
        return None

    def runs(self) -> list[tuple[int, int]]:
        """Unbroken runs [first, end) of the samples that are kept and not settled."""
        runs: list[tuple[int, int]] = []
        for chunk in self._chunks:
            first_sample = max(chunk.first_sample, self.settled_sample)
            if runs and runs[-1][1] == first_sample:
                first_sample = runs.pop()[0]
            runs.append((first_sample, chunk.end_sample))
        return runs

    def _duration_s(self, newest_count: int) -> float:
        if newest_count <= 0:
            return 0.0
        first = self._chunks[len(self._chunks) - newest_count].first_sample
        return (self._chunks[-1].end_sample - first) / SAMPLE_RATE_HERTZ
