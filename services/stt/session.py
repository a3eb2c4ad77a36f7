"""One audio stream: voice activity, segments, partials, finals, in the order that a client needs.

Three tasks share a stream. The listener turns audio into windows and boundaries; the finisher
decodes closed segments one after another; the third decodes partials of the open segment when there
is time. Everything that leaves goes through one bounded queue.

A suppressed segment's number is used again, so a segment gets its number, and is announced, only
when all before it are settled.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.audio import ms_to_samples, samples_to_ms
from services.errors import DeadlinePassed, GlossaError, Unavailable
from services.stt.context import SpokenContext
from services.stt.corrections import Corrections
from services.stt.engine import Decoding, Samples
from services.stt.events import Event, Final, Outcome, Partial, Started, Suppressed
from services.stt.finals import Finals
from services.stt.music import MusicDetector
from services.stt.partials import Partials
from services.stt.policy import (
    Boundary,
    SegmentationPolicy,
    Segmenter,
    SegmentOpened,
    Window,
    WordGap,
)
from services.stt.segment import ClosedSegment, RecentAudio, Segment
from services.stt.tiers import Tiers
from services.stt.vad import WINDOW_SAMPLES, VoiceActivity

# Closed segments that wait for the engine; when full, no more audio is read: finals are never
# dropped.
PENDING_FINALS = 2
# Events that wait for the client; when full, no more audio is read.
PENDING_EVENTS = 64
# Without other news, settled_sample is told this often.
SETTLED_INTERVAL_MS = 1000
# Words and names of a session's own that a decode is told of; more than a prompt holds.
MAX_PHRASES = 500
# Terms that recognisers mishear are added up to so many in all. Each of these takes about three of
# the 223 tokens of Whisper's prompt, in each decode and whatever is spoken of; the others are left
# to the corrections.
USUAL_PHRASES = 24


@dataclass(frozen=True)
class AudioRun:
    """Consecutive samples of a stream, int16."""

    first_sample: int
    samples: NDArray[np.int16]
    follows_gap: bool


@dataclass(frozen=True)
class StreamOptions:
    """What the client asked for, checked."""

    language: str  # as the client names it
    engine_language: str
    phrases: tuple[str, ...]
    partial_results: bool
    first_segment_id: int
    partial_interval_ms: int
    idle_timeout_s: float
    music_hold: bool = True  # whether captions rest while somebody sings


def shutting_down() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "the recogniser is stopping; open a new stream")


def idle_timeout(timeout_s: float) -> DeadlinePassed:
    return DeadlinePassed(
        "IDLE_TIMEOUT", f"nothing was sent for {timeout_s:g} s", timeout_s=timeout_s
    )


def expected_phrases(phrases: tuple[str, ...], corrections: Corrections) -> tuple[str, ...]:
    """The session's own, then the first terms of the corrections where those leave room."""
    own = tuple(dict.fromkeys(phrases))[:MAX_PHRASES]
    both = tuple(dict.fromkeys((*own, *corrections.intended_terms())))
    return both[: max(len(own), USUAL_PHRASES)]


class TranscriptionSession:
    """Turns one stream's audio into events."""

    def __init__(
        self,
        options: StreamOptions,
        policy: SegmentationPolicy,
        activity: VoiceActivity,
        tiers: Tiers,
        corrections: Corrections,
        stopping: asyncio.Event,
    ) -> None:
        self._options = options
        self._activity = activity
        self._music = MusicDetector() if options.music_hold else None
        self._is_music = False
        self._stopping = stopping
        self._context = SpokenContext()
        language = options.engine_language
        phrases = expected_phrases(options.phrases, corrections)
        self._finals = Finals(tiers, language, phrases, corrections, self._context, self._is_behind)
        self._partials = Partials(
            self,
            tiers,
            Decoding(language, phrases),
            corrections,
            self._context,
            interval_ms=options.partial_interval_ms,
            min_sentence_ms=policy.min_sentence_ms,
        )
        self._segmenter = Segmenter(policy)
        self._audio = RecentAudio()
        self._residue = np.zeros(0, dtype=np.float32)  # less than a window
        self._began: tuple[float, int] | None = None  # time.monotonic() and first sample
        self._position = 0  # after the last sample that came
        self._heard_sample = 0  # after the last whole window
        self._is_finished = False
        self._segments: deque[Segment] = deque()  # unsettled, oldest first; the last may be open
        self._next_segment_id = options.first_segment_id
        self._settled_sample = 0
        self._told_settled_sample = 0
        self._closed: asyncio.Queue[ClosedSegment | None] = asyncio.Queue(PENDING_FINALS)
        self._events: asyncio.Queue[Event] = asyncio.Queue(PENDING_EVENTS)
        self._telling = asyncio.Lock()
        self.audio_grew = asyncio.Event()

    async def events(self, runs: AsyncIterator[AudioRun]) -> AsyncGenerator[Event, None]:
        """The events of the whole stream; ends after `runs` has ended and all is settled.

        Raises:
            GlossaError: what `runs` raises; IDLE_TIMEOUT, SHUTTING_DOWN, ENGINE_FAILED.
        """
        work = asyncio.create_task(self._work(runs))
        try:
            while True:
                next_event = asyncio.ensure_future(self._events.get())
                try:
                    await asyncio.wait({next_event, work}, return_when=asyncio.FIRST_COMPLETED)
                    if not next_event.done():
                        break
                finally:
                    next_event.cancel()
                yield next_event.result()
            while not self._events.empty():
                yield self._events.get_nowait()
            work.result()
        finally:
            work.cancel()
            await asyncio.wait({work})

    async def _work(self, runs: AsyncIterator[AudioRun]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                stop_watch = tasks.create_task(self._watch_stop())
                partials = tasks.create_task(self._make_partials())
                finals = tasks.create_task(self._make_finals())
                await self._listen(runs)
                await finals
                partials.cancel()
                stop_watch.cancel()
        except BaseExceptionGroup as group:
            errors, _ = group.split(GlossaError)
            while errors is not None:  # one status for the client: the first error's
                first = errors.exceptions[0]
                if not isinstance(first, BaseExceptionGroup):
                    raise first from None
                errors = first
            raise

    async def _watch_stop(self) -> None:
        await self._stopping.wait()
        raise shutting_down()

    # Listening.

    async def _listen(self, runs: AsyncIterator[AudioRun]) -> None:
        async for run in self._unless_idle(runs):
            if run.follows_gap:
                await self._finish_run("gap")
                self._context.note_gap(samples_to_ms(run.first_sample))
            if self._began is None or run.follows_gap:
                self._began = self._began or (time.monotonic(), run.first_sample)
                self._activity.reset()
                if self._music is not None:
                    self._music.reset()
                self._position = run.first_sample
            await self._hear(run.samples.astype(np.float32) / 32768.0)
            await self._tell_settled_now_and_then()
            await asyncio.sleep(0)  # a client that is faster than real time does not take the loop
        await self._finish_run("finish")
        self._is_finished = True
        await self._closed.put(None)

    async def _unless_idle(self, runs: AsyncIterator[AudioRun]) -> AsyncIterator[AudioRun]:
        timeout_s = self._options.idle_timeout_s
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    run = await anext(runs)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise idle_timeout(timeout_s) from None
            yield run

    async def _hear(self, samples: Samples) -> None:
        heard = np.concatenate([self._residue, samples])
        first_sample = self._position - len(self._residue)
        self._position += len(samples)
        whole = len(heard) - len(heard) % WINDOW_SAMPLES
        for start in range(0, whole, WINDOW_SAMPLES):
            window = heard[start : start + WINDOW_SAMPLES]
            await self._hear_window(first_sample + start, window, WINDOW_SAMPLES)
        self._residue = heard[whole:]
        self.audio_grew.set()

    async def _hear_window(self, first_sample: int, window: Samples, length: int) -> None:
        self._audio.append(first_sample, window[:length])
        self._heard_sample = first_sample + length
        probability = self._activity.probability(window)
        if self._music is not None:
            self._is_music = self._music.accept(window, probability)
        heard = Window(
            first_sample,
            first_sample + length,
            probability,
            float(np.abs(window).mean()),
            self._is_music,
        )
        for boundary in self._segmenter.accept(heard):
            await self._cross(boundary)
        self._audio.drop_before(self._segmenter.restart_sample)

    async def _finish_run(self, cause: Literal["gap", "finish"]) -> None:
        """The samples end here: the open segment is closed."""
        length = len(self._residue)
        if length:
            padded = np.zeros(WINDOW_SAMPLES, dtype=np.float32)
            padded[:length] = self._residue
            self._residue = self._residue[:0]
            await self._hear_window(self._position - length, padded, length)
        for boundary in self._segmenter.finish(cause):
            await self._cross(boundary)
        self._audio.drop_before(self._position)

    async def _cross(self, boundary: Boundary) -> None:
        if isinstance(boundary, SegmentOpened):
            first_sample = boundary.first_sample
            settled_sample = self._segmenter.restart_sample
            self._segments.append(Segment(first_sample, settled_sample, fed_sample=first_sample))
            await self._announce()
            return
        segment = self._segments[-1]
        segment.is_open = False
        segment.is_cut = boundary.cause in ("music", "sentence", "length")
        if boundary.at_words and segment.has_unstable_text:
            # What was shown after the cut is the next segment's.
            await self.tell_partial(segment, segment.stable_text, "", segment.model)
        samples = self._audio.between(boundary.first_sample, boundary.end_sample)
        await self._closed.put(ClosedSegment(segment, boundary, samples, time.monotonic()))

    # Telling the client.

    async def _announce(self) -> None:
        """Gives the oldest unsettled segment its number, once."""
        if not self._segments or self._segments[0].segment_id:
            return
        segment = self._segments[0]
        segment.segment_id = self._next_segment_id
        await self._tell(Started(segment.segment_id, samples_to_ms(segment.first_sample)))

    async def _tell(self, body: Started | None) -> None:
        async with self._telling:
            await self._put(body)

    async def tell_partial(self, segment: Segment, stable: str, unstable: str, model: str) -> None:
        """Tells a partial of a segment that has its number, and no final yet."""
        async with self._telling:
            if segment.is_settled or not segment.segment_id:
                return
            segment.revision += 1
            segment.stable_text, segment.model = stable, model
            segment.has_unstable_text = bool(unstable)
            await self._put(
                Partial(
                    segment.segment_id,
                    segment.revision,
                    stable,
                    unstable,
                    samples_to_ms(segment.first_sample),
                    samples_to_ms(segment.fed_sample),
                    model,
                )
            )

    async def _tell_outcome(self, segment: Segment, outcome: Outcome) -> None:
        async with self._telling:
            segment.is_settled = True
            self._segments.popleft()
            if isinstance(outcome, Final):
                self._next_segment_id += 1
                outcome = replace(outcome, revision=segment.revision + 1)
            await self._put(outcome)
        await self._announce()

    async def _put(self, body: Started | Partial | Final | Suppressed | None) -> None:
        self._settled_sample = max(self._settled_sample, self._settled_now())
        self._told_settled_sample = self._settled_sample
        await self._events.put(Event(self._settled_sample, body))

    def _settled_now(self) -> int:
        if self._segments:
            return self._segments[0].settled_sample
        if self._is_finished:
            return self._position
        return self._segmenter.restart_sample

    async def _tell_settled_now_and_then(self) -> None:
        advance = self._settled_now() - self._told_settled_sample
        if advance >= ms_to_samples(SETTLED_INTERVAL_MS):
            await self._tell(None)

    # Finals.

    async def _make_finals(self) -> None:
        while (closed := await self._closed.get()) is not None:
            await self._announce()
            outcome = await self._finals.outcome(closed)
            await self._tell_outcome(closed.segment, outcome)
        if self._settled_now() > self._told_settled_sample:
            await self._tell(None)

    def _is_behind(self) -> bool:
        """Whether a closed segment waits and the audio comes no faster than it is spoken.

        A recording comes as fast as it is taken: a segment always waits then, and nobody for it.
        """
        if self._closed.empty() or self._is_finished or self._began is None:
            return False
        began_at_s, first_sample = self._began
        heard_s = samples_to_ms(self._position - first_sample) / 1000
        return heard_s <= time.monotonic() - began_at_s

    # Partials.

    async def _make_partials(self) -> None:
        if self._options.partial_results:
            await self._partials.run()

    @property
    def open_segment(self) -> Segment | None:
        """The segment that gets partials now; none while captions rest for music."""
        if self._is_music or not self._segments or not self._segments[-1].is_open:
            return None
        return self._segments[-1]

    @property
    def heard_sample(self) -> int:
        return self._heard_sample

    def samples(self, first_sample: int, end_sample: int) -> Samples:
        return self._audio.between(first_sample, end_sample)

    def settle(self, segment: Segment, gap: WordGap) -> None:
        """Tells where the segment's settled words end; heeded with the next window."""
        if segment.is_open:
            self._segmenter.settle(gap)
