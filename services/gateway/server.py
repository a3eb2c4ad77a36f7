"""The gateway's gRPC face: speakers, followers, operators."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services import audio
from services.errors import DeadlinePassed, InvalidInput, Unavailable, WrongState
from services.gateway.audio_retention import AudioRetention
from services.gateway.audio_store import AudioStore
from services.gateway.corrections import append_correction
from services.gateway.follow import Followers
from services.gateway.forgetting import Forgetting
from services.gateway.journal import Journal
from services.gateway.last_drafts import LastDrafts
from services.gateway.models import ModelAddresses, Models, shutting_down
from services.gateway.pipeline import Pipeline
from services.gateway.requests import (
    MAX_NAME_CHARACTERS,
    check_new_session,
    checked_review,
    checked_text,
)
from services.gateway.reviews import append_review
from services.gateway.session import Session, Speaker, Surroundings
from services.gateway.session_rows import SessionRow
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings

LiveT = TypeVar("LiveT")

_RECEIPT_INTERVAL_S = 1.0
_GAP_NOTICES_LIMIT = 64  # further ones wait in the journal only
# gRPC reports a broken connection first as an ended stream and cancels the handler just after. Only
# a stream that is still whole after this long was half-closed on purpose.
_HALF_CLOSE_PROOF_S = 0.1


class GatewayApp:
    """The gateway as services.serving runs it."""

    name = "gateway"
    service_names = ("glossa.gateway.v1.GatewayService", "glossa.gateway.v1.JournalService")

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._followers = Followers()
        self._speakers = _Speakers()
        self._gateway = _GatewayServicer(self._speakers, settings)
        self._journal_servicer = _JournalServicer(self._followers)

    def register(self, server: grpc.aio.Server) -> None:
        gateway_pb2_grpc.add_GatewayServiceServicer_to_server(self._gateway, server)
        gateway_pb2_grpc.add_JournalServiceServicer_to_server(self._journal_servicer, server)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        settings = self._settings
        audio_store = AudioStore(settings.state_dir / "audio")
        models = Models(
            ModelAddresses(
                settings.stt_address,
                settings.mt_address,
                settings.qe_address,
                settings.mt_alternative_address,
            )
        )
        last_drafts = LastDrafts()

        def committed(events: Sequence[gateway_pb2.JournalEvent]) -> None:
            self._followers.publish(events)
            pipeline.committed(events)
            sessions.committed(events)

        journal = Journal(
            settings.state_dir / "journal.db", committed, settings.journal_synchronous
        )
        pipeline = Pipeline(journal, models, last_drafts, self._followers.publish_live, settings)
        sessions = Sessions(
            Surroundings(
                journal,
                models,
                audio_store,
                last_drafts,
                settings,
                self._followers.publish_live,
                pipeline.is_behind,
            )
        )
        forgetting = Forgetting(
            journal, audio_store, last_drafts.forget_session, sessions.nothing_open
        )
        retention = AudioRetention(journal, audio_store, settings.audio_retention_days)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pipeline.run())
                tasks.create_task(sessions.run())
                tasks.create_task(forgetting.run())
                tasks.create_task(retention.run())
                await sessions.restored.wait()
                self._gateway.ready(_Live(journal, sessions, forgetting, audio_store))
                self._journal_servicer.ready(journal, audio_store)
                try:
                    yield
                finally:
                    await models.close()
        finally:
            journal.close()
            audio_store.close_all()

    async def drain(self) -> None:
        """Speakers and followers are told to come back; sessions stay open in the journal."""
        self._speakers.close()
        self._followers.close()


class _Speakers:
    """The open speakers' streams, to end them on shutdown."""

    def __init__(self) -> None:
        self.closing = False
        self._open: set[Speaker] = set()

    def add(self, speaker: Speaker) -> None:
        self._open.add(speaker)

    def remove(self, speaker: Speaker) -> None:
        self._open.discard(speaker)

    def close(self) -> None:
        self.closing = True
        for speaker in self._open:
            speaker.wake.set()


@dataclass(frozen=True)
class _Live:
    """What the gateway's servicer works with, once the journal is open."""

    journal: Journal
    sessions: Sessions
    forgetting: Forgetting
    audio_store: AudioStore


class _GatewayServicer(gateway_pb2_grpc.GatewayServiceServicer):
    def __init__(self, speakers: _Speakers, settings: GatewaySettings) -> None:
        self._speakers = speakers
        self._settings = settings
        self._live: _Live | None = None

    def ready(self, live: _Live) -> None:
        self._live = live

    @property
    def _sessions(self) -> Sessions:
        return _started(self._live).sessions

    @property
    def _journal(self) -> Journal:
        return _started(self._live).journal

    async def StreamAudio(
        self,
        requests: AsyncIterator[gateway_pb2.StreamAudioRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[gateway_pb2.StreamAudioResponse]:
        if self._speakers.closing:
            raise shutting_down()
        session = await self._open_or_resume(await self._first_config(requests))
        speaker = session.attach()
        self._speakers.add(speaker)
        notices: list[gateway_pb2.AudioGap] = []
        reading = asyncio.create_task(self._read_audio(requests, speaker, notices))
        try:
            yield gateway_pb2.StreamAudioResponse(
                session_opened=gateway_pb2.SessionOpened(
                    session_id=session.session_id, next_sample=session.next_sample
                )
            )
            async for response in self._answers(session, speaker, reading, notices):
                yield response
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            self._speakers.remove(speaker)
            session.detach(speaker)

    async def _answers(
        self,
        session: Session,
        speaker: Speaker,
        reading: asyncio.Task[None],
        notices: list[gateway_pb2.AudioGap],
    ) -> AsyncIterator[gateway_pb2.StreamAudioResponse]:
        """Receipts and gaps until the session is closed; raises what ends the stream otherwise."""
        reading.add_done_callback(lambda _: speaker.wake.set())
        session.closed.add_done_callback(lambda _: speaker.wake.set())
        receipt = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECEIPT_INTERVAL_S):
                    await speaker.wake.wait()
            speaker.wake.clear()
            while notices:
                yield gateway_pb2.StreamAudioResponse(audio_gap=notices.pop(0))
            if (newest := session.receipt()) != receipt:
                receipt = newest
                yield gateway_pb2.StreamAudioResponse(receipt=receipt)
            if session.closed.done():
                speaker.check()
                yield gateway_pb2.StreamAudioResponse(session_closed=session.closed.result())
                return
            if reading.done():
                reading.result()
            speaker.check()
            if self._speakers.closing:
                raise shutting_down()

    async def _read_audio(
        self,
        requests: AsyncIterator[gateway_pb2.StreamAudioRequest],
        speaker: Speaker,
        notices: list[gateway_pb2.AudioGap],
    ) -> None:
        """Takes audio in until the speaker half-closes."""
        session = speaker.session
        while (request := await self._next_request(requests)) is not None:
            if request.WhichOneof("payload") != "audio":
                raise InvalidInput(
                    "CONFIG_REPEATED", "a stream has one config, as its first message"
                )
            gap = await session.take_audio(speaker, request.audio.first_sample, request.audio.data)
            if gap is not None and len(notices) < _GAP_NOTICES_LIMIT:
                notices.append(gap)
                speaker.wake.set()
        await asyncio.sleep(_HALF_CLOSE_PROOF_S)
        speaker.check()
        session.finish(gateway_pb2.END_REASON_FINISHED)

    async def _first_config(
        self, requests: AsyncIterator[gateway_pb2.StreamAudioRequest]
    ) -> gateway_pb2.SessionConfig:
        request = await self._next_request(requests)
        if request is None or request.WhichOneof("payload") != "config":
            raise InvalidInput(
                "AUDIO_BEFORE_CONFIG", "the first message of a stream must be its config"
            )
        return request.config

    async def _next_request(
        self, requests: AsyncIterator[gateway_pb2.StreamAudioRequest]
    ) -> gateway_pb2.StreamAudioRequest | None:
        try:
            async with asyncio.timeout(self._settings.idle_timeout_s):
                return await anext(requests, None)
        except TimeoutError as error:
            raise DeadlinePassed(
                "IDLE_TIMEOUT",
                f"nothing came for {self._settings.idle_timeout_s:g} s; resume the session",
            ) from error

    async def _open_or_resume(self, config: gateway_pb2.SessionConfig) -> Session:
        audio.check_format(
            config.format.encoding, config.format.sample_rate_hertz, config.format.channel_count
        )
        if config.session_id:
            return await self._sessions.resume(config.session_id)
        check_new_session(config)
        return await self._sessions.open(config)

    async def ListSessions(
        self, request: gateway_pb2.ListSessionsRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.ListSessionsResponse:
        page_size = request.page_size or 100
        if not 1 <= page_size <= 1000:
            raise InvalidInput("INVALID_PAGE_SIZE", "page_size must be between 1 and 1000")
        rows = await self._journal.read_sessions(page_size)
        audio_store = _started(self._live).audio_store
        return gateway_pb2.ListSessionsResponse(
            sessions=[_session_message(row, audio_store.has(row.session_id)) for row in rows]
        )

    async def CorrectSegment(
        self, request: gateway_pb2.CorrectSegmentRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.CorrectSegmentResponse:
        text = checked_text("a correction", request.text)
        if not text:
            raise InvalidInput("EMPTY_TEXT", "a correction needs a text")
        sequence = await self._journal.write(
            append_correction,
            request.session_id,
            request.segment_id,
            request.language,
            text,
            request.author[:MAX_NAME_CHARACTERS],
        )
        return gateway_pb2.CorrectSegmentResponse(sequence=sequence)

    async def ReviewPair(
        self, request: gateway_pb2.ReviewPairRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.ReviewPairResponse:
        return await self._journal.write(append_review, checked_review(request))

    async def ForgetSession(
        self, request: gateway_pb2.ForgetSessionRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.ForgetSessionResponse:
        return await _started(self._live).forgetting.forget(request.session_id)

    async def EndSession(
        self, request: gateway_pb2.EndSessionRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.EndSessionResponse:
        session = await self._sessions.resume(request.session_id)
        session.finish(gateway_pb2.END_REASON_OPERATOR)
        closed = await asyncio.shield(session.closed)
        return gateway_pb2.EndSessionResponse(sequence=closed.sequence)


class _JournalServicer(gateway_pb2_grpc.JournalServiceServicer):
    def __init__(self, followers: Followers) -> None:
        self._followers = followers
        self._live: tuple[Journal, AudioStore] | None = None

    def ready(self, journal: Journal, audio_store: AudioStore) -> None:
        self._live = journal, audio_store

    @property
    def _journal(self) -> Journal:
        return _started(self._live)[0]

    @property
    def _audio_store(self) -> AudioStore:
        return _started(self._live)[1]

    async def Follow(
        self, request: gateway_pb2.FollowRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[gateway_pb2.FollowResponse]:
        async for response in self._followers.follow(self._journal, request):
            yield response

    async def FetchAudio(
        self, request: gateway_pb2.FetchAudioRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[gateway_pb2.FetchAudioResponse]:
        row = await self._journal.read_session(request.session_id)
        if not self._audio_store.has(request.session_id):
            raise _audio_not_stored(row)
        async for first_sample, data in self._audio_store.read(
            request.session_id, request.first_sample, request.end_sample
        ):
            yield gateway_pb2.FetchAudioResponse(
                audio=types_pb2.AudioChunk(first_sample=first_sample, data=data)
            )


def _started(live: LiveT | None) -> LiveT:
    """What a servicer works with, once the journal is open."""
    if live is None:
        raise Unavailable("NOT_READY", "the gateway is starting; try again in a moment")
    return live


def _audio_not_stored(row: SessionRow) -> WrongState:
    if not row.config.store_audio:
        why = "its speaker did not agree to it (store_audio)"
    elif row.end_time_ms is None:
        why = "none has come yet"
    else:
        why = "its time is over (GLOSSA_GATEWAY_AUDIO_RETENTION_DAYS), or it had none"
    return WrongState(
        "AUDIO_NOT_STORED",
        f"there is no audio of session {row.session_id}: {why}",
        session_id=row.session_id,
    )


def _session_message(row: SessionRow, has_audio: bool) -> gateway_pb2.Session:
    session = gateway_pb2.Session(
        session_id=row.session_id,
        title=row.config.title,
        source_language=row.config.source_language,
        target_languages=row.config.target_languages,
        final_count=row.final_count,
        first_sequence=row.first_sequence,
        last_sequence=row.last_sequence,
        # Of an open session no audio may have come yet.
        store_audio=row.config.store_audio and (has_audio or row.end_time_ms is None),
    )
    session.start_time.FromMilliseconds(row.start_time_ms)
    if row.end_time_ms is not None:
        session.end_time.FromMilliseconds(row.end_time_ms)
    return session
