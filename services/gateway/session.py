"""One live session: audio in, its recognition kept going whatever happens to stt, its end.

The audio above the last settled sample is held here. When the stt stream breaks, a new one is
opened with the next segment's number and gets that audio again: finals are never lost and segment
numbers go on. Audio that breaks stt every time is skipped, and journalled as a gap.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import structlog

from glossa.gateway.v1 import gateway_pb2
from glossa.stt.v1 import stt_pb2
from glossa.types.v1 import types_pb2
from services.audio import SAMPLE_RATE_HERTZ, SampleClock, ms_to_samples
from services.errors import GlossaError, PeerStatus, Superseded, Unavailable, reason_of
from services.gateway import metrics
from services.gateway.audio_store import AudioStore
from services.gateway.drafts import Drafts
from services.gateway.heard import append_gap, append_skip, append_suppressed, append_transcript
from services.gateway.journal import Journal
from services.gateway.last_drafts import LastDrafts
from services.gateway.models import Models, is_permanent, stt_error
from services.gateway.replay import ReplayBuffer
from services.gateway.session_rows import end_session, session_ended, settle
from services.gateway.settings import GatewaySettings
from services.gateway.stt_breaks import SttBreaks

log = structlog.get_logger()

_REOPEN_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # then the last one again and again
# Settled silence is written down this often, or at once when so much of it has come together: then
# the speaker sends faster than real time and waits for the receipt.
_SETTLE_INTERVAL_S = 1.0
_SETTLE_AT_ONCE_S = 10.0
_END_RETRY_S = 1.0
# A session that goes on after a gateway restart counts its revisions from here, so that they are
# greater than those of partials that displays saw before; no segment has this many partials.
_REVISIONS_PER_EPOCH = 100_000


@dataclass(frozen=True)
class Surroundings:
    """What a session uses of the gateway."""

    journal: Journal
    models: Models
    audio_store: AudioStore
    last_drafts: LastDrafts
    settings: GatewaySettings
    publish_live: Callable[[gateway_pb2.LiveUpdate], None]
    translations_behind: Callable[[], bool]


@dataclass(frozen=True)
class Progress:
    """Where a session begins or goes on; its start in milliseconds since the Unix epoch."""

    start_time_ms: int
    settled_sample: int = 0
    final_count: int = 0
    revision_epoch: int = 0


class Speaker:
    """A speaker's connection to a session, and what it is to be told."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.wake = asyncio.Event()
        self.superseded = False

    def check(self) -> None:
        """Raises Superseded SESSION_TAKEN_OVER, or the error that ended the session."""
        if self.superseded:
            raise Superseded(
                "SESSION_TAKEN_OVER",
                "another stream resumed this session; only the newest one may send",
            )
        if self.session.failure is not None:
            raise self.session.failure


class Session:
    """A session that has not ended. `run` does its work; everything else is called from outside."""

    def __init__(
        self,
        session_id: str,
        config: gateway_pb2.SessionConfig,
        surroundings: Surroundings,
        progress: Progress,
    ) -> None:
        self.session_id = session_id
        self.config = config
        self.start_time_ms = progress.start_time_ms
        self.failure: GlossaError | None = None
        self.closed: asyncio.Future[gateway_pb2.SessionClosed] = (
            asyncio.get_running_loop().create_future()
        )
        self._with = surroundings
        self._clock = SampleClock(progress.settled_sample)
        self._buffer = ReplayBuffer(progress.settled_sample)
        self._safe_sample = progress.settled_sample  # settled and written down
        self._next_segment_id = progress.final_count + 1
        self._revision_base = progress.revision_epoch * _REVISIONS_PER_EPOCH
        self._last_revision = self._revision_base
        self._drafts = Drafts(
            session_id,
            list(config.target_languages),
            surroundings.models,
            surroundings.last_drafts,
            surroundings.publish_live,
            call_limit=surroundings.settings.draft_concurrency,
            timeout_s=surroundings.settings.draft_timeout_s,
        )
        self._speaker: Speaker | None = None
        self._abandon_timer: asyncio.TimerHandle | None = None
        self._end_reason: gateway_pb2.EndReason | None = None
        self._stt_connected = False
        self._stt_answered = False  # in the stream that is open, or was the last
        self._stt_breaks = SttBreaks()
        self._input = asyncio.Event()  # something to send, or the end
        self._room = asyncio.Event()  # something was sent or settled
        self._paid = asyncio.Event()  # a translation was journalled
        self._settled = asyncio.Event()  # more is settled than is written down
        self._await_speaker()

    # From the speaker's stream

    @property
    def next_sample(self) -> int:
        """The first sample that the speaker is to send."""
        return self._clock.next_sample

    def attach(self) -> Speaker:
        """Connects a speaker; an earlier one is superseded. Raises WrongState SESSION_ENDED."""
        if self._end_reason is not None:
            raise session_ended(self.session_id)
        if self._abandon_timer is not None:
            self._abandon_timer.cancel()
            self._abandon_timer = None
        if self._speaker is not None:
            self._speaker.superseded = True
            self._speaker.wake.set()
            self._room.set()
        else:
            metrics.SPEAKERS_CONNECTED.inc()
        self._speaker = Speaker(self)
        return self._speaker

    def detach(self, speaker: Speaker) -> None:
        """The speaker's stream is gone; the session waits for it to come back."""
        if self._speaker is not speaker:
            return
        self._speaker = None
        metrics.SPEAKERS_CONNECTED.dec()
        if self._end_reason is None:
            self._await_speaker()

    async def take_audio(
        self, speaker: Speaker, first_sample: int, data: bytes
    ) -> gateway_pb2.AudioGap | None:
        """Takes a chunk in, waiting while there is no room; returns the gap before it, if any.

        Raises:
            InvalidInput: the chunk breaks a rule of services.audio.SampleClock.
            Superseded, WrongState: the session is no longer this speaker's.
        """
        while not self._has_room():
            self._room.clear()
            await self._room.wait()
            speaker.check()
        speaker.check()
        if self._end_reason is not None:
            raise session_ended(self.session_id)
        missing = self._clock.accept(first_sample, data)
        # Before anything is waited for: what the clock has counted in will not be sent again.
        self._buffer.append(first_sample, data)
        self._input.set()
        gap = None
        if missing is not None:
            gap = gateway_pb2.AudioGap(
                first_sample=missing.first_sample, next_sample=missing.next_sample
            )
            metrics.GAP_SECONDS.inc(
                (missing.next_sample - missing.first_sample) / SAMPLE_RATE_HERTZ
            )
            await self._with.journal.write(append_gap, self.session_id, gap)
        if self.config.store_audio:
            await self._with.audio_store.write(self.session_id, first_sample, data)
        metrics.AUDIO_SECONDS.inc(len(data) / 2 / SAMPLE_RATE_HERTZ)
        return gap

    def receipt(self) -> gateway_pb2.AudioReceipt:
        """What has become of the audio so far."""
        return gateway_pb2.AudioReceipt(
            safe_sample=self._safe_sample, received_sample=self._clock.next_sample
        )

    def finish(self, reason: gateway_pb2.EndReason) -> None:
        """No more audio: settle what is here and end. Later reasons change nothing."""
        if self._end_reason is None:
            self._end_reason = reason
            self._input.set()
            self._room.set()

    def translation_journalled(self) -> None:
        """Called when one of this session's finals got its translation."""
        self._paid.set()

    def status(self) -> gateway_pb2.SessionStatus:
        """How it goes."""
        status = gateway_pb2.SessionStatus(
            session_id=self.session_id,
            title=self.config.title,
            source_language=self.config.source_language,
            target_languages=self.config.target_languages,
            has_speaker=self._speaker is not None,
        )
        status.start_time.FromMilliseconds(self.start_time_ms)
        return status

    # The work

    async def run(self) -> None:
        """Recognises until the end, then journals the end."""
        metrics.SESSIONS_OPEN.inc()
        try:
            async with asyncio.TaskGroup() as tasks:
                beside = (
                    tasks.create_task(self._drafts.run()),
                    tasks.create_task(self._write_down_settled()),
                )
                await self._recognise()
                for task in beside:
                    task.cancel()
            await self._wait_for_translations()
            await self._end()
        finally:
            metrics.SESSIONS_OPEN.dec()
            if self._abandon_timer is not None:
                self._abandon_timer.cancel()
            self._with.audio_store.close(self.session_id)

    async def _recognise(self) -> None:
        failures = 0
        while True:
            await self._input.wait()
            self._input.clear()
            if self._end_reason is not None and self._buffer.held_s() == 0:
                return
            if self._buffer.held_s() == 0:
                continue
            settled_before = self._buffer.settled_sample
            try:
                await self._stream_once()
            except grpc.aio.AioRpcError as error:
                reason = reason_of(error)
                if is_permanent(error):
                    log.error("stt_refused", session_id=self.session_id, reason=reason)
                    self._refuse(stt_error(error))
                    return
            except Unavailable as error:  # the journal could not be written, or stt ended early
                reason = error.reason
            else:
                return
            failures = 0 if self._buffer.settled_sample > settled_before else failures + 1
            metrics.STT_REOPENED.labels(reason).inc()
            log.warning(
                "stt_stream_broken",
                session_id=self.session_id,
                reason=reason,
                replay_s=round(self._buffer.held_s(), 1),
            )
            await self._skip_what_breaks_stt(reason)
            await asyncio.sleep(_REOPEN_BACKOFF_S[min(failures, len(_REOPEN_BACKOFF_S) - 1)])
            self._input.set()

    async def _skip_what_breaks_stt(self, reason: str) -> None:
        settled_sample = self._buffer.settled_sample
        skip_to = self._stt_breaks.note(
            settled_sample, self._buffer.sent_sample, reason, answered=self._stt_answered
        )
        if skip_to <= settled_sample:
            return
        gap = gateway_pb2.AudioGap(first_sample=settled_sample, next_sample=skip_to, reason=reason)
        try:
            await self._with.journal.write(append_skip, self.session_id, gap)
        except Unavailable:  # the journal cannot be written now; more breaks will come
            return
        self._settle(skip_to)
        self._make_safe(skip_to)
        self._drop_segment(self._next_segment_id)
        skipped_s = (skip_to - settled_sample) / SAMPLE_RATE_HERTZ
        metrics.SKIPPED_SECONDS.labels(reason).inc(skipped_s)
        log.error(
            "audio_skipped",
            session_id=self.session_id,
            reason=reason,
            first_sample=settled_sample,
            skipped_s=round(skipped_s, 1),
        )

    async def _stream_once(self) -> None:
        """One stt stream from the settled sample to the end; returns only when all is settled."""
        self._buffer.rewind()
        self._revision_base = self._last_revision
        self._stt_answered = False
        call = self._with.models.stt.StreamingTranscribe()
        status = PeerStatus(call)
        sending: asyncio.Task[None] | None = None
        try:
            await call.write(self._stt_config())
            self._stt_connected = True
            sending = asyncio.create_task(self._send(call))
            while (response := await call.read()) is not grpc.aio.EOF:
                self._stt_answered = True
                await self._take_response(response)
            if await call.code() != grpc.StatusCode.OK:
                raise await status.error()
            if not sending.done():
                raise Unavailable("STT_ENDED_EARLY", "stt ended the stream before its audio did")
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise await status.error() from None
        finally:
            self._stt_connected = False
            self._room.set()  # more may be held while stt is away
            call.cancel()
            if sending is not None:
                sending.cancel()
                await asyncio.wait({sending})

    def _stt_config(self) -> stt_pb2.StreamingTranscribeRequest:
        return stt_pb2.StreamingTranscribeRequest(
            config=stt_pb2.TranscribeConfig(
                format=self.config.format,
                language=self.config.source_language,
                phrases=self.config.phrases,
                partial_results=True,
                first_segment_id=self._next_segment_id,
            )
        )

    async def _send(self, call: Any) -> None:
        """Sends what is unsent until the end; a broken stream is the reader's to report."""
        try:
            while True:
                while (chunk := self._buffer.next_unsent()) is not None:
                    await call.write(
                        stt_pb2.StreamingTranscribeRequest(
                            audio=types_pb2.AudioChunk(
                                first_sample=chunk.first_sample, data=chunk.data
                            )
                        )
                    )
                    self._room.set()
                if self._end_reason is not None:
                    await call.done_writing()
                    return
                self._input.clear()
                await self._input.wait()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await asyncio.Event().wait()  # until the reader, who sees the same break, cancels this

    async def _take_response(self, response: stt_pb2.StreamingTranscribeResponse) -> None:
        match response.WhichOneof("event"):
            case "transcript" if response.transcript.is_final:
                await self._take_final(response.transcript, response.settled_sample)
            case "transcript":
                self._take_partial(response.transcript)
            case "segment_suppressed":
                await self._take_suppressed(response.segment_suppressed, response.settled_sample)
        self._settle(response.settled_sample)

    def _take_partial(self, transcript: types_pb2.Transcript) -> None:
        transcript.revision += self._revision_base
        self._last_revision = transcript.revision
        self._with.publish_live(
            gateway_pb2.LiveUpdate(session_id=self.session_id, transcript=transcript)
        )
        if self._with.translations_behind():
            metrics.DRAFTS.labels("skipped").inc()
        else:
            self._drafts.offer(transcript)

    async def _take_final(self, transcript: types_pb2.Transcript, settled_sample: int) -> None:
        transcript.revision += self._revision_base
        self._last_revision = self._revision_base
        self._drafts.cancel(transcript.segment_id)
        arrived_at = self._buffer.arrival_of(ms_to_samples(transcript.end_offset_ms))
        is_new = await self._with.journal.write(
            append_transcript,
            self.session_id,
            transcript,
            list(self.config.target_languages),
            settled_sample,
            compared=bool(self._with.settings.mt_alternative_address),
        )
        self._next_segment_id = transcript.segment_id + 1
        self._make_safe(settled_sample)
        if is_new:
            metrics.FINALS.inc()
            lag_s = time.monotonic() - arrived_at if arrived_at is not None else None
            if lag_s is not None:
                metrics.LAG_SECONDS.labels("transcript").observe(lag_s)
            log.info(
                "final",
                session_id=self.session_id,
                segment_id=transcript.segment_id,
                word_count=len(transcript.words),
                engine_ms=round(transcript.engine_ms, 1),
                lag_ms=None if lag_s is None else round(lag_s * 1000),
            )

    async def _take_suppressed(
        self, suppressed: stt_pb2.SegmentSuppressed, settled_sample: int
    ) -> None:
        self._drop_segment(suppressed.segment_id)
        is_new = await self._with.journal.write(
            append_suppressed,
            self.session_id,
            gateway_pb2.SegmentSuppressed(
                reason=suppressed.reason,
                start_offset_ms=suppressed.start_offset_ms,
                end_offset_ms=suppressed.end_offset_ms,
                text=suppressed.text,
            ),
            settled_sample,
        )
        self._make_safe(settled_sample)
        if is_new:
            metrics.SUPPRESSED.labels(suppressed.reason).inc()

    def _drop_segment(self, segment_id: int) -> None:
        """Takes the partials and drafts of a segment away; the next one gets its number."""
        self._drafts.cancel(segment_id)
        self._with.last_drafts.forget(self.session_id, segment_id)
        self._with.publish_live(
            gateway_pb2.LiveUpdate(
                session_id=self.session_id,
                segment_dropped=gateway_pb2.SegmentDropped(segment_id=segment_id),
            )
        )

    def _settle(self, settled_sample: int) -> None:
        if settled_sample > self._buffer.settled_sample:
            self._buffer.settle(settled_sample)
            self._room.set()
        if self._buffer.settled_sample > self._safe_sample:
            self._settled.set()

    async def _write_down_settled(self) -> None:
        """Makes what is settled safe, so that the speaker may let go of it, until cancelled."""
        while True:
            await self._settled.wait()
            self._settled.clear()
            settled_sample = self._buffer.settled_sample
            fresh_s = (settled_sample - self._safe_sample) / SAMPLE_RATE_HERTZ
            if fresh_s <= 0:
                continue
            try:
                await self._with.journal.write(settle, self.session_id, settled_sample)
            except Unavailable:  # the journal cannot be written now
                self._settled.set()
                fresh_s = 0.0
            else:
                self._make_safe(settled_sample)
            if fresh_s < _SETTLE_AT_ONCE_S:
                await asyncio.sleep(_SETTLE_INTERVAL_S)

    def _make_safe(self, settled_sample: int) -> None:
        self._safe_sample = max(self._safe_sample, settled_sample)
        if self._speaker is not None:
            self._speaker.wake.set()

    async def _wait_for_translations(self) -> None:
        try:
            async with asyncio.timeout(self._with.settings.end_drain_timeout_s):
                while await self._with.journal.count_owed("translate", self.session_id):
                    await self._paid.wait()
                    self._paid.clear()
        except TimeoutError:
            log.warning("session_ends_untranslated", session_id=self.session_id)

    async def _end(self) -> None:
        reason = self._end_reason or gateway_pb2.END_REASON_FINISHED
        while True:
            try:
                closed = await self._with.journal.write(
                    end_session, self.session_id, reason, self._clock.next_sample
                )
                break
            except Unavailable:
                await asyncio.sleep(_END_RETRY_S)
        self._safe_sample = self._clock.next_sample
        self.closed.set_result(closed)
        log.info("session_ended", session_id=self.session_id, final_count=closed.final_count)

    # Inside

    def _has_room(self) -> bool:
        settings = self._with.settings
        if self._stt_connected:
            return self._buffer.unsent_s() < settings.unsent_audio_limit_s
        return self._buffer.held_s() < settings.replay_audio_limit_s

    def _refuse(self, error: GlossaError) -> None:
        self.failure = error
        self.finish(gateway_pb2.END_REASON_REFUSED)
        if self._speaker is not None:
            self._speaker.wake.set()

    def _await_speaker(self) -> None:
        self._abandon_timer = asyncio.get_running_loop().call_later(
            self._with.settings.resume_window_s, self.finish, gateway_pb2.END_REASON_ABANDONED
        )
