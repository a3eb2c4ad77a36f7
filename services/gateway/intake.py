"""The audio of one session between its speaker and stt.

It is counted as it comes and kept until stt has settled it, so that a stream that breaks can be
sent it again. What is spoken while the session is held is counted and thrown away: it counts as
settled once everything before it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ, Gap, SampleClock, samples_to_ms
from services.gateway.held import HeldStretch
from services.gateway.level import Level
from services.gateway.replay import Chunk, ReplayBuffer


@dataclass(frozen=True)
class Taken:
    """What has become of a chunk.

    Args:
        missing: samples before it that never came.
        kept: what of it is not thrown away, as (first_sample, data).
    """

    missing: Gap | None
    kept: tuple[tuple[int, bytes], ...]


class Intake:
    """One session's audio; `input` is set when there is more to send, or no more to come."""

    def __init__(
        self,
        settled_sample: int,
        held: Sequence[HeldStretch],
        *,
        unsent_limit_s: float,
        kept_limit_s: float,
        on_safe: Callable[[], None],
    ) -> None:
        """
        Args:
            settled_sample: where the audio begins or goes on.
            held: what is thrown away of it, in order.
            unsent_limit_s: taken in ahead of an stt that works.
            kept_limit_s: taken in while stt is away.
            on_safe: called when the speaker may let go of more.
        """
        self.input = asyncio.Event()
        self.settled = asyncio.Event()  # more is settled than is safe
        self.safe_sample = settled_sample  # settled, and written down
        self.level = Level()
        self.has_ended = False
        self._clock = SampleClock(settled_sample)
        self._buffer = ReplayBuffer(settled_sample)
        self._held = list(held)
        self._unsent_limit_s = unsent_limit_s
        self._kept_limit_s = kept_limit_s
        self._on_safe = on_safe
        self._room = asyncio.Event()
        self._is_closed = False
        self._is_streaming = False
        self.settle(settled_sample)

    # From the speaker

    @property
    def next_sample(self) -> int:
        """The first sample that has not come yet."""
        return self._clock.next_sample

    def has_room(self) -> bool:
        """Whether a chunk may be taken in now."""
        if self._is_closed:
            return False
        if self.is_held:
            return True
        if self._is_streaming:
            return self._buffer.unsent_s() < self._unsent_limit_s
        return self._buffer.kept_s() < self._kept_limit_s

    async def room_changed(self) -> None:
        """Waits until there may be room, or another reason to look."""
        self._room.clear()
        await self._room.wait()

    def take(self, first_sample: int, data: bytes) -> Taken:
        """Takes a chunk in. Raises InvalidInput: it breaks a rule of services.audio.SampleClock."""
        missing = self._clock.accept(first_sample, data)
        self.level.take(data)
        end_sample = first_sample + len(data) // BYTES_PER_SAMPLE
        kept = []
        for first, end in self._not_held(first_sample, end_sample):
            begin = (first - first_sample) * BYTES_PER_SAMPLE
            kept.append((first, data[begin : begin + (end - first) * BYTES_PER_SAMPLE]))
        for piece in kept:
            self._buffer.append(*piece)
        self.settle(self._buffer.settled_sample)
        self.input.set()
        is_in_held = missing is not None and not self._not_held(
            missing.first_sample, missing.next_sample
        )
        return Taken(None if is_in_held else missing, tuple(kept))

    def end(self) -> None:
        """No more audio comes."""
        self.has_ended = True
        self.input.set()
        self.look_again()

    def look_again(self) -> None:
        """Has whoever waits for room look again."""
        self._room.set()

    # From operators

    @property
    def is_held(self) -> bool:
        return bool(self._held) and self._held[-1].next_sample is None

    @contextlib.contextmanager
    def closed(self) -> Iterator[None]:
        """No audio is taken in meanwhile; the speaker is held back."""
        self._is_closed = True
        try:
            yield
        finally:
            self._is_closed = False
            self.look_again()

    def hold(self) -> None:
        """From now on everything is thrown away."""
        self._held.append(HeldStretch(self.next_sample))
        self.settle(self._buffer.settled_sample)
        self.input.set()

    def go_on(self) -> None:
        """From now on nothing is thrown away."""
        first_sample = self._held[-1].first_sample
        # A speaker that was to send again may not have come to where the session was held.
        next_sample = max(first_sample, self.next_sample)
        self._held[-1] = replace(self._held[-1], next_sample=next_sample)
        self.settle(self._buffer.settled_sample)

    def unsettled_runs(self) -> list[tuple[int, int]]:
        """Runs [first, end) of the samples that came, are not thrown away and not settled."""
        return self._buffer.runs()

    # To stt

    @contextlib.contextmanager
    def streaming(self) -> Iterator[None]:
        """A stream of stt takes audio, everything that is not settled from the beginning."""
        self._buffer.rewind()
        self._is_streaming = True
        try:
            yield
        finally:
            self._is_streaming = False
            self.look_again()  # more may be kept while stt is away

    def next_unsent(self) -> Chunk | None:
        """The next chunk for this stream; what comes after a hold is for the next one."""
        chunk = self._buffer.next_unsent(self._hold_ahead)
        if chunk is not None:
            self.look_again()
        return chunk

    def end_of_stream(self) -> int | None:
        """The sample at which this stream ends, once all before it has come; None until then.

        A stream ends where the session is held, so that what was spoken until then becomes a final.
        """
        hold_sample = self._hold_ahead
        if hold_sample is not None and self.next_sample >= hold_sample:
            return hold_sample
        return self.next_sample if self.has_ended else None

    @property
    def sent_sample(self) -> int:
        """Every sample below it that was kept has been sent in this stream, or the last."""
        return self._buffer.sent_sample

    # From stt

    @property
    def settled_sample(self) -> int:
        """No audio below it is needed again."""
        return self._buffer.settled_sample

    def settle(self, sample: int) -> None:
        """No audio below a sample is needed again; nor is what was thrown away right after it."""
        for stretch in self._held:
            if sample >= stretch.first_sample:
                # What is held lasts as long as it does.
                end_sample = stretch.next_sample
                sample = max(sample, self.next_sample if end_sample is None else end_sample)
        self._held = [stretch for stretch in self._held if not self._is_over(stretch, sample)]
        if sample > self._buffer.settled_sample:
            self._buffer.settle(sample)
            self.look_again()
        if self._buffer.settled_sample > self.safe_sample:
            self.settled.set()

    def make_safe(self, sample: int) -> None:
        """A settled sample is written down."""
        self.safe_sample = max(self.safe_sample, sample)
        self._on_safe()

    def kept_s(self) -> float:
        """Audio that is kept, in seconds."""
        return self._buffer.kept_s()

    def unsettled_ms(self) -> int:
        """Audio that came and is not settled, in milliseconds."""
        return samples_to_ms(max(0, self.next_sample - self.settled_sample))

    def unsafe_s(self) -> float:
        """Audio that is settled and not written down as such, in seconds."""
        return (self.settled_sample - self.safe_sample) / SAMPLE_RATE_HERTZ

    def arrival_of(self, sample: int) -> float | None:
        """When a sample came (time.monotonic()); None if it is no longer kept."""
        return self._buffer.arrival_of(sample)

    # Inside

    @property
    def _hold_ahead(self) -> int | None:
        """Where the session is held next, seen from what is settled."""
        return next(
            (each.first_sample for each in self._held if each.first_sample > self.settled_sample),
            None,
        )

    def _is_over(self, stretch: HeldStretch, settled_sample: int) -> bool:
        """Whether neither stt nor the speaker will come to a stretch any more."""
        end_sample = stretch.next_sample
        return end_sample is not None and end_sample <= min(settled_sample, self.next_sample)

    def _not_held(self, first_sample: int, end_sample: int) -> list[tuple[int, int]]:
        """What of the samples [first, end) is not to be thrown away, as runs of the same kind."""
        runs = []
        for stretch in self._held:
            if first_sample < stretch.first_sample < end_sample:
                runs.append((first_sample, stretch.first_sample))
            if stretch.first_sample < end_sample:
                stretch_end = end_sample if stretch.next_sample is None else stretch.next_sample
                first_sample = max(first_sample, stretch_end)
        if first_sample < end_sample:
            runs.append((first_sample, end_sample))
        return runs
