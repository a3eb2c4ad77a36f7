"""The gateway's gRPC face: speakers, followers, operators."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services.errors import Unavailable, WrongState
from services.gateway.audio_retention import AudioRetention
from services.gateway.audio_store import AudioStore
from services.gateway.degradation import Degradation
from services.gateway.disk import show_disk
from services.gateway.durability import Durability
from services.gateway.engines import Engines
from services.gateway.follow import Followers
from services.gateway.forgetting import Forgetting
from services.gateway.journal import Journal
from services.gateway.last_drafts import LastDrafts
from services.gateway.models import ModelAddresses, Models
from services.gateway.operating import Operating
from services.gateway.pipeline import Pipeline
from services.gateway.segment_log import SegmentLog
from services.gateway.session_rows import SessionRow
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.shown import ShownTexts
from services.gateway.speaking import Speaking
from services.gateway.status import Status
from services.gateway.surroundings import Surroundings

LiveT = TypeVar("LiveT")


class GatewayApp:
    """The gateway as services.serving runs it."""

    name = "gateway"
    service_names = ("glossa.gateway.v1.GatewayService", "glossa.gateway.v1.JournalService")

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._followers = Followers()
        self._speaking = Speaking(settings.idle_timeout_s)
        self._gateway = _GatewayServicer(self._speaking)
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
        shown = ShownTexts()

        def committed(events: Sequence[gateway_pb2.JournalEvent]) -> None:
            self._followers.publish(events)
            shown.committed(events)
            segment_log.committed(events)
            pipeline.committed(events)
            sessions.committed(events)
            status.committed(events)

        def publish_live(update: gateway_pb2.LiveUpdate) -> None:
            shown.take(update)
            self._followers.publish_live(update)

        journal = Journal(
            settings.state_dir / "journal.db", committed, settings.journal_synchronous
        )
        show_disk(settings.state_dir, journal)
        segment_log = SegmentLog(lambda session_id: sessions.target_languages(session_id))
        pipeline = Pipeline(journal, models, last_drafts, shown, publish_live, settings)
        sessions = Sessions(
            Surroundings(
                journal,
                models,
                audio_store,
                last_drafts,
                settings,
                shown,
                segment_log,
                publish_live,
                pipeline.is_behind,
            )
        )
        forgetting = Forgetting(
            journal, audio_store, last_drafts.forget_session, sessions.nothing_open
        )
        degradation = Degradation()
        engines = Engines(models.peers, degradation)
        durability = Durability(journal, settings.state_dir, degradation)
        status = Status(sessions, engines, durability)
        retention = AudioRetention(journal, audio_store, settings.audio_retention_days)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(sessions.run())
                tasks.create_task(forgetting.run())
                tasks.create_task(retention.run())
                tasks.create_task(engines.run())
                tasks.create_task(durability.run())
                status.restore(await journal.read_screens())
                await sessions.restored.wait()
                tasks.create_task(pipeline.run())  # sessions count what they are owed
                self._gateway.ready(
                    sessions, Operating(journal, sessions, forgetting, audio_store, status)
                )
                self._journal_servicer.ready(journal, audio_store)
                yield
        finally:
            await models.close()
            journal.close()
            audio_store.close_all()

    async def drain(self) -> None:
        """Speakers and followers are told to come back; sessions stay open in the journal."""
        self._speaking.close()
        self._followers.close()


class _GatewayServicer(gateway_pb2_grpc.GatewayServiceServicer):
    def __init__(self, speaking: Speaking) -> None:
        self._speaking = speaking
        self._live: tuple[Sessions, Operating] | None = None

    def ready(self, sessions: Sessions, operating: Operating) -> None:
        self._live = sessions, operating

    @property
    def _operating(self) -> Operating:
        return _started(self._live)[1]

    async def StreamAudio(
        self,
        requests: AsyncIterator[gateway_pb2.StreamAudioRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[gateway_pb2.StreamAudioResponse]:
        async with contextlib.aclosing(
            self._speaking.stream(lambda: _started(self._live)[0], requests)
        ) as responses:
            async for response in responses:
                yield response

    async def ListSessions(
        self, request: gateway_pb2.ListSessionsRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.ListSessionsResponse:
        return await self._operating.list_sessions(request)

    async def CorrectSegment(
        self, request: gateway_pb2.CorrectSegmentRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.CorrectSegmentResponse:
        return await self._operating.correct(request)

    async def ReviewPair(
        self, request: gateway_pb2.ReviewPairRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.ReviewPairResponse:
        return await self._operating.review(request)

    async def ForgetSession(
        self, request: gateway_pb2.ForgetSessionRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.ForgetSessionResponse:
        return await self._operating.forget(request)

    async def EndSession(
        self, request: gateway_pb2.EndSessionRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.EndSessionResponse:
        return await self._operating.end(request)

    async def HoldSession(
        self, request: gateway_pb2.HoldSessionRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.HoldSessionResponse:
        return await self._operating.hold(request)

    async def ResetSession(
        self, request: gateway_pb2.ResetSessionRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.ResetSessionResponse:
        return await self._operating.reset(request)

    async def HideSegment(
        self, request: gateway_pb2.HideSegmentRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.HideSegmentResponse:
        return await self._operating.hide(request)

    async def SetScreens(
        self, request: gateway_pb2.SetScreensRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.SetScreensResponse:
        return await self._operating.set_screens(request)

    async def GetStatus(
        self, request: gateway_pb2.GetStatusRequest, context: grpc.aio.ServicerContext
    ) -> gateway_pb2.GetStatusResponse:
        return self._operating.status()


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
