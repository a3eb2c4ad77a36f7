"""One session's recognition, kept going whatever happens to stt.

When the stt stream breaks, a new one is opened with the next segment's number and gets the audio
again that is not settled: finals are never lost and segment numbers go on. Audio that breaks stt
every time is skipped, and journalled as a gap. Where a session is held a stream ends, and another
one begins after it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc
import structlog

from glossa.gateway.v1 import gateway_pb2
from glossa.stt.v1 import stt_pb2
from glossa.types.v1 import types_pb2
from services import traces
from services.audio import SAMPLE_RATE_HERTZ
from services.errors import PeerStatus, Unavailable, reason_of
from services.gateway import metrics
from services.gateway.answers import Answers
from services.gateway.heard import append_skip
from services.gateway.intake import Intake
from services.gateway.models import is_permanent, stt_error
from services.gateway.stt_breaks import SttBreaks
from services.gateway.surroundings import Surroundings

log = structlog.get_logger()

_REOPEN_BACKOFF_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # then the last one again and again


class Recognition:
    """Turns one session's audio into finals in the journal, and partials and drafts before them."""

    def __init__(
        self,
        config: gateway_pb2.SessionConfig,
        surroundings: Surroundings,
        intake: Intake,
        answers: Answers,
    ) -> None:
        self._config = config
        self._session_id = config.session_id
        self._with = surroundings
        self._intake = intake
        self._answers = answers
        self._stream: asyncio.Task[None] | None = None
        self._is_given_up = False  # the stream, because the session begins anew
        self._has_answered = False  # stt, in the stream that is open, or was the last
        self._breaks = SttBreaks()
        self._taking = asyncio.Lock()  # one answer of stt, or what may not come between two

    async def run(self) -> None:
        """Recognises until no more audio comes and all of it is settled.

        Raises:
            InvalidInput: why stt refuses this session for good.
        """
        async with asyncio.TaskGroup() as tasks:
            drafting = tasks.create_task(self._answers.run_drafts())
            refusal = await self._recognise()
            drafting.cancel()
        if refusal is not None:
            raise stt_error(refusal)

    @contextlib.asynccontextmanager
    async def between_answers(self) -> AsyncIterator[None]:
        """No answer of stt is taken meanwhile, and none is half taken."""
        async with self._taking:
            yield

    def reset(self) -> None:
        """Drops the open segment; what comes from now on goes to another stream.

        To be called between answers, when the audio until now is settled.
        """
        if self._stream is not None:
            self._is_given_up = True
            self._stream.cancel()
        self._answers.drop_open_segment()
        self._with.last_drafts.forget_session(self._session_id)
        self._intake.input.set()

    async def _recognise(self) -> grpc.aio.AioRpcError | None:
        """Opens stream after stream; returns at the end, with the refusal if there is one."""
        failures = 0
        while True:
            await self._intake.input.wait()
            self._intake.input.clear()
            if self._intake.kept_s() == 0:
                if self._intake.has_ended:
                    return None
                continue
            settled_before = self._intake.settled_sample
            try:
                await self._stream_until_begun_anew()
            except grpc.aio.AioRpcError as error:
                reason = reason_of(error)
                if is_permanent(error):
                    log.error("stt_refused", session_id=self._session_id, reason=reason)
                    return error
            except Unavailable as error:  # the journal could not be written, or stt ended early
                reason = error.reason
            else:
                failures = 0
                self._intake.input.set()  # there may be more, or the end
                continue
            failures = 0 if self._intake.settled_sample > settled_before else failures + 1
            metrics.STT_REOPENED.labels(reason).inc()
            log.warning(
                "stt_stream_broken",
                session_id=self._session_id,
                reason=reason,
                replay_s=round(self._intake.kept_s(), 1),
            )
            await self._skip_what_breaks_stt(reason)
            await asyncio.sleep(_REOPEN_BACKOFF_S[min(failures, len(_REOPEN_BACKOFF_S) - 1)])
            self._intake.input.set()

    async def _skip_what_breaks_stt(self, reason: str) -> None:
        async with self._taking:
            settled_sample = self._intake.settled_sample
            skip_to = self._breaks.note(
                settled_sample, self._intake.sent_sample, reason, answered=self._has_answered
            )
            if skip_to <= settled_sample:
                return
            gap = gateway_pb2.AudioGap(
                first_sample=settled_sample, next_sample=skip_to, reason=reason
            )
            try:
                await self._with.journal.write(append_skip, self._session_id, gap)
            except Unavailable:  # the journal cannot be written now; more breaks will come
                return
            self._intake.settle(skip_to)
            self._intake.make_safe(skip_to)
            self._answers.drop_open_segment()
        skipped_s = (skip_to - settled_sample) / SAMPLE_RATE_HERTZ
        metrics.SKIPPED_SECONDS.labels(reason).inc(skipped_s)
        log.error(
            "audio_skipped",
            session_id=self._session_id,
            reason=reason,
            first_sample=settled_sample,
            skipped_s=round(skipped_s, 1),
        )

    async def _stream_until_begun_anew(self) -> None:
        """One stream to its end, or until the session begins anew."""
        self._is_given_up = False
        self._stream = asyncio.create_task(self._stream_once())
        try:
            await asyncio.wait({self._stream})
            if not self._is_given_up:
                self._stream.result()
        finally:
            self._stream.cancel()
            await asyncio.wait({self._stream})
            self._stream = None

    async def _stream_once(self) -> None:
        """One stt stream from the settled sample on; returns when all that it was sent is settled.

        Raises:
            grpc.aio.AioRpcError: it broke, with stt's reason.
            Unavailable: STT_ENDED_EARLY; JOURNAL_FAILED.
        """
        self._answers.begin_stream()
        self._has_answered = False
        call = self._with.models.stt.StreamingTranscribe(
            metadata=traces.session_metadata(self._session_id)
        )
        status = PeerStatus(call)
        sending: asyncio.Task[int] | None = None
        try:
            await call.write(self._stt_config())
            with self._intake.streaming():
                sending = asyncio.create_task(self._send(call))
                while (response := await call.read()) is not grpc.aio.EOF:
                    self._has_answered = True
                    async with self._taking:
                        await self._answers.take(response)
            if await call.code() != grpc.StatusCode.OK:
                raise await status.error()
            if not sending.done():
                raise Unavailable("STT_ENDED_EARLY", "stt ended the stream before its audio did")
            self._intake.settle(sending.result())
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise await status.error() from None
        finally:
            call.cancel()
            if sending is not None:
                sending.cancel()
                await asyncio.wait({sending})

    def _stt_config(self) -> stt_pb2.StreamingTranscribeRequest:
        return stt_pb2.StreamingTranscribeRequest(
            config=stt_pb2.TranscribeConfig(
                format=self._config.format,
                language=self._config.source_language,
                phrases=self._config.phrases,
                partial_results=True,
                first_segment_id=self._answers.next_segment_id,
            )
        )

    async def _send(self, call: Any) -> int:
        """Sends what is unsent until the stream's end, and returns the sample at which it is.

        A broken stream is the reader's to report.
        """
        try:
            while True:
                while (chunk := self._intake.next_unsent()) is not None:
                    await call.write(
                        stt_pb2.StreamingTranscribeRequest(
                            audio=types_pb2.AudioChunk(
                                first_sample=chunk.first_sample, data=chunk.data
                            )
                        )
                    )
                end_sample = self._intake.end_of_stream()
                if end_sample is not None:
                    await call.done_writing()
                    return end_sample
                self._intake.input.clear()
                await self._intake.input.wait()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            await asyncio.Event().wait()  # until the reader, who sees the same break, cancels this
            raise
