"""One audio stream: voice activity, segments, partials, finals, in the order that a client needs.

Three tasks share a stream. The listener turns audio into windows and boundaries; the finisher
decodes closed segments one after another; the third decodes partials of the open segment when there
is time. Everything that leaves goes through one bounded queue.

A suppressed segment's number is used again, so a segment gets its number, and is announced, only
when all before it are settled.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import prometheus_client
import structlog
from numpy.typing import NDArray

from services.audio import ms_to_samples, samples_to_ms
from services.errors import DeadlinePassed, EngineFailed, GlossaError, Unavailable
from services.stt.agreement import LocalAgreement
from services.stt.engine import Decoding, Samples
from services.stt.events import Event, Final, FinalWord, Outcome, Partial, Started, Suppressed
from services.stt.filters import (
    FinalFigures,
    compression_ratio,
    suppression_reason,
)
from services.stt.policy import (
    Boundary,
    SegmentationPolicy,
    SegmentClosed,
    Segmenter,
    SegmentOpened,
    Window,
)
from services.stt.recogniser import LivePartials, Recogniser
from services.stt.vad import WINDOW_SAMPLES, VoiceActivity

log = structlog.get_logger()

# Closed segments that wait for the engine; when full, no more audio is read: finals are never
# dropped.
PENDING_FINALS = 2
# Events that wait for the client; when full, no more audio is read.
PENDING_EVENTS = 64
# Without other news, settled_sample is told this often.
SETTLED_INTERVAL_MS = 1000
# A live decoder that is further behind than this gives up the segment's partials.
MAX_PARTIAL_BACKLOG_MS = 4000

SEGMENTS = prometheus_client.Counter(
    "glossa_stt_segments_total", "Segments by outcome.", ["outcome"]
)
SUPPRESSIONS = prometheus_client.Counter(
    "glossa_stt_suppressions_total", "Finals that were not shown, by reason.", ["reason"]
)
PARTIALS_SKIPPED = prometheus_client.Counter(
    "glossa_stt_partials_skipped_total",
    "Partials not made: no_decoder (a stream's), behind (a segment's), busy or failed (one).",
    ["reason"],
)


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


@dataclass(eq=False)
class _Segment:
    """One segment from its beginning to its final."""

    first_sample: int
    settled_sample: int  # nothing below it is needed while this segment is the oldest
    segment_id: int = 0  # 0 until it is announced
    revision: int = 0
    is_open: bool = True
    is_settled: bool = False
    # For partials.
    fed_sample: int = 0
    gets_partials: bool = True
    agreement: LocalAgreement = field(default_factory=LocalAgreement)


@dataclass(frozen=True)
class _ClosedSegment:
    segment: _Segment
    boundary: SegmentClosed
    samples: Samples
    closed_at_s: float  # time.monotonic()


class _RecentAudio:
    """The samples that an open segment may still need."""

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


def shutting_down() -> Unavailable:
    return Unavailable("SHUTTING_DOWN", "the recogniser is stopping; open a new stream")


def idle_timeout(timeout_s: float) -> DeadlinePassed:
    return DeadlinePassed(
        "IDLE_TIMEOUT", f"nothing was sent for {timeout_s:g} s", timeout_s=timeout_s
    )


class TranscriptionSession:
    """Turns one stream's audio into events."""

    def __init__(
        self,
        options: StreamOptions,
        policy: SegmentationPolicy,
        activity: VoiceActivity,
        recogniser: Recogniser,
        stopping: asyncio.Event,
    ) -> None:
        self._options = options
        self._activity = activity
        self._recogniser = recogniser
        self._decoding = Decoding(options.engine_language, options.phrases)
        self._stopping = stopping
        self._segmenter = Segmenter(policy)
        self._audio = _RecentAudio()
        self._residue = np.zeros(0, dtype=np.float32)  # less than a window
        self._has_begun = False
        self._position = 0  # after the last sample that came
        self._is_finished = False
        self._segments: deque[_Segment] = deque()  # unsettled, oldest first; the last may be open
        self._next_segment_id = options.first_segment_id
        self._settled_sample = 0
        self._told_settled_sample = 0
        self._closed: asyncio.Queue[_ClosedSegment | None] = asyncio.Queue(PENDING_FINALS)
        self._events: asyncio.Queue[Event] = asyncio.Queue(PENDING_EVENTS)
        self._telling = asyncio.Lock()
        self._audio_grew = asyncio.Event()

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
            if not self._has_begun or run.follows_gap:
                self._has_begun = True
                self._activity.reset()
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
        self._audio_grew.set()

    async def _hear_window(self, first_sample: int, window: Samples, length: int) -> None:
        self._audio.append(first_sample, window[:length])
        heard = Window(
            first_sample,
            first_sample + length,
            self._activity.probability(window),
            float(np.abs(window).mean()),
        )
        for boundary in self._segmenter.accept(heard):
            await self._cross(boundary)
        if not self._segmenter.is_open:
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
            self._segments.append(_Segment(first_sample, settled_sample, fed_sample=first_sample))
            await self._announce()
            return
        segment = self._segments[-1]
        segment.is_open = False
        samples = self._audio.between(boundary.first_sample, boundary.end_sample)
        await self._closed.put(_ClosedSegment(segment, boundary, samples, time.monotonic()))

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

    async def _tell_partial(self, segment: _Segment, stable: str, unstable: str) -> None:
        async with self._telling:
            if segment.is_settled or not segment.segment_id:
                return
            segment.revision += 1
            await self._put(
                Partial(
                    segment.segment_id,
                    segment.revision,
                    stable,
                    unstable,
                    samples_to_ms(segment.first_sample),
                    samples_to_ms(segment.fed_sample),
                )
            )

    async def _tell_outcome(self, segment: _Segment, outcome: Outcome) -> None:
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
            outcome = await self._outcome(closed)
            await self._tell_outcome(closed.segment, outcome)
        if self._settled_now() > self._told_settled_sample:
            await self._tell(None)

    async def _outcome(self, closed: _ClosedSegment) -> Outcome:
        segment, boundary = closed.segment, closed.boundary
        # Waiting behind the segment before it is waiting for the engine, too.
        waited_ms = (time.monotonic() - closed.closed_at_s) * 1000
        recognition = await self._recogniser.transcribe(closed.samples, self._decoding)
        engine_ms = recognition.engine_ms + waited_ms
        engine_queue_ms = recognition.queue_ms + waited_ms
        hypothesis = recognition.hypothesis
        text = hypothesis.text
        figures = FinalFigures(
            text=text,
            avg_logprob=hypothesis.avg_logprob,
            no_speech_prob=1.0 - boundary.speech_probability,
            compression_ratio=compression_ratio(text),
        )
        reason = suppression_reason(figures, self._recogniser.capabilities.reject_avg_logprob)
        start_ms = samples_to_ms(boundary.first_sample)
        end_ms = samples_to_ms(boundary.speech_end_sample)
        log.info(
            "segment",
            segment_id=segment.segment_id,
            outcome=reason or "final",
            cause=boundary.cause,
            audio_ms=end_ms - start_ms,
            words=len(hypothesis.words),
            avg_logprob=_rounded(figures.avg_logprob),
            no_speech_prob=_rounded(figures.no_speech_prob),
            engine_ms=round(engine_ms),
            engine_queue_ms=round(engine_queue_ms),
        )
        log.debug("segment_text", segment_id=segment.segment_id, text=text)
        SEGMENTS.labels("suppressed" if reason else "final").inc()
        if reason is not None:
            SUPPRESSIONS.labels(reason).inc()
            return Suppressed(segment.segment_id, reason, start_ms, end_ms)
        return Final(
            segment_id=segment.segment_id,
            revision=1,  # set when it is told: a partial may still come before it
            text=text,
            words=tuple(
                FinalWord(
                    word.text,
                    min(start_ms + word.start_ms, end_ms),
                    min(start_ms + word.end_ms, end_ms),
                    word.probability,
                )
                for word in hypothesis.words
            ),
            start_offset_ms=start_ms,
            end_offset_ms=end_ms,
            endpoint_offset_ms=samples_to_ms(boundary.endpoint_sample),
            avg_logprob=figures.avg_logprob,
            no_speech_prob=figures.no_speech_prob,
            compression_ratio=figures.compression_ratio,
            engine_ms=engine_ms,
            engine_queue_ms=engine_queue_ms,
        )

    # Partials.

    async def _make_partials(self) -> None:
        if not self._options.partial_results:
            return
        async with contextlib.AsyncExitStack() as stack:
            try:
                live = await stack.enter_async_context(self._recogniser.live(self._decoding))
            except EngineFailed:
                PARTIALS_SKIPPED.labels("failed").inc()
                return
            if live is None:
                PARTIALS_SKIPPED.labels("no_decoder").inc()
                return
            while True:
                await self._audio_grew.wait()
                self._audio_grew.clear()
                segment = self._segments[-1] if self._segments else None
                if segment is not None and segment.is_open and segment.gets_partials:
                    await self._grow(live, segment)

    async def _grow(self, live: LivePartials, segment: _Segment) -> None:
        """Feeds what came since the last time, when it is enough for another partial."""
        end_sample = self._position - len(self._residue)
        backlog_samples = end_sample - segment.fed_sample
        interval_samples = ms_to_samples(self._options.partial_interval_ms)
        if backlog_samples < interval_samples:
            return
        if backlog_samples > ms_to_samples(MAX_PARTIAL_BACKLOG_MS):
            segment.gets_partials = False
            PARTIALS_SKIPPED.labels("behind").inc()
            return
        PARTIALS_SKIPPED.labels("busy").inc(backlog_samples // interval_samples - 1)
        is_first = segment.fed_sample == segment.first_sample
        samples = self._audio.between(segment.fed_sample, end_sample)
        segment.fed_sample = end_sample
        try:
            if is_first:
                await live.start()
            text = (await live.feed(samples)).text
        except EngineFailed:  # the final is decoded elsewhere
            segment.gets_partials = False
            PARTIALS_SKIPPED.labels("failed").inc()
            return
        if text:
            partial = segment.agreement.accept(text)
            await self._tell_partial(segment, partial.stable, partial.unstable)


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 2)
