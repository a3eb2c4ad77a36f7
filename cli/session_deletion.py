"""Has the services forget a session, and asks each of them whether it has."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import grpc

from cli.client import Peer, as_glossa_error
from cli.session_audio import GatewayAudio
from cli.traces import piece_of_sound, telling_pieces, written_forms
from glossa.captions.v1 import captions_pb2, captions_pb2_grpc
from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.audio import ms_to_samples
from services.channels import open_channel
from services.errors import NotFound, WrongState, reason_of

_CALL_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 120.0
_FORGET_TIMEOUT_S = 300.0
_FOLLOW_TIMEOUT_S = 60.0
_POLL_S = 0.5
_SESSIONS_NAMED = 5
_SEGMENTS_LISTENED_TO = 5


@dataclass(frozen=True)
class Addresses:
    """host:port of the services that hold sessions."""

    gateway: str
    captions: str
    collector: str


@dataclass(frozen=True)
class Known:
    """A session as it is before it is forgotten.

    Args:
        start_time: None when it was forgotten before.
        pair_count: pairs that the collector has of it.
        texts: bytes that stand in files that hold its texts, and in no others.
        sound: the same of its audio; empty when there is none that could be told from others.
    """

    session_id: str
    title: str
    start_time: datetime | None
    final_count: int
    has_audio: bool
    pair_count: int
    texts: tuple[bytes, ...] = ()
    sound: bytes = b""

    @property
    def needles(self) -> tuple[bytes, ...]:
        """All that is searched for."""
        return (*self.texts, self.sound) if self.sound else self.texts


class SessionDeletion:
    """Connections to the services."""

    def __init__(self, addresses: Addresses) -> None:
        self._peers = {
            "gateway": Peer("gateway", addresses.gateway, "--gateway"),
            "captions": Peer("captions service", addresses.captions, "--captions"),
            "collector": Peer("collector", addresses.collector, "--collector"),
        }
        self._channels = {
            name: open_channel(getattr(addresses, name))
            for name in ("gateway", "captions", "collector")
        }
        self._gateway = gateway_pb2_grpc.GatewayServiceStub(self._channels["gateway"])
        self._journal = gateway_pb2_grpc.JournalServiceStub(self._channels["gateway"])
        self._audio = GatewayAudio(self._channels["gateway"], addresses.gateway)
        self._captions = captions_pb2_grpc.CaptionServiceStub(self._channels["captions"])
        self._collector = collector_pb2_grpc.CollectorServiceStub(self._channels["collector"])

    async def __aenter__(self) -> SessionDeletion:
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels.values():
            await channel.close()

    async def look(self, session_id: str) -> Known:
        """What there is of a session.

        Raises:
            GlossaError: NotFound UNKNOWN_SESSION; WrongState SESSION_OPEN.
        """
        with self._errors():
            events = [event async for event in self._events(session_id)]
            if not events:
                raise _unknown(session_id, await self._newest_sessions())
        started = next((event for event in events if event.HasField("session_started")), None)
        if started is None:
            return Known(session_id, "", None, 0, False, 0)
        if not any(event.HasField("session_ended") for event in events):
            raise _open(session_id)
        pair_count = 0
        with contextlib.suppress(grpc.aio.AioRpcError):  # waiting for it tells what is wrong
            counts = (await self._stats(session_id)).counts
            # What people decided about is counted in its band, too.
            pair_count = sum(
                count.pair_count for count in counts if count.band != collector_pb2.BAND_CORRECTED
            )
        return Known(
            session_id,
            started.session_started.config.title,
            started.time.ToDatetime(tzinfo=UTC),
            sum(event.HasField("transcript") for event in events),
            await self._audio.read(session_id, 0, 1) is not None,
            pair_count,
            await self._texts(session_id),
            await self._sound(session_id, events),
        )

    async def forget(self, session_id: str) -> gateway_pb2.ForgetSessionResponse:
        """Raises GlossaError with a reason that GatewayService.ForgetSession names."""
        request = gateway_pb2.ForgetSessionRequest(session_id=session_id)
        with self._errors():
            try:
                return await self._gateway.ForgetSession(request, timeout=_FORGET_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                if reason_of(error) == "SESSION_OPEN":  # since it was looked at: it goes on
                    raise _open(session_id) from error
                raise

    async def captions_followed(self, session_id: str) -> str:
        """Waits until captions knows no such session; what is wrong otherwise, else empty."""

        async def is_gone() -> bool:
            call = self._captions.Subscribe(
                captions_pb2.SubscribeRequest(session_id=session_id), timeout=_CALL_TIMEOUT_S
            )
            try:
                await call.read()
            except grpc.aio.AioRpcError as error:
                if reason_of(error) == "UNKNOWN_SESSION":
                    return True
                raise
            finally:
                call.cancel()
            return False

        return await _until(is_gone, "captions still shows the session", self._peers["captions"])

    async def collector_followed(self, session_id: str, sequence: int) -> str:
        """Waits until the collector has no pair of it; what is wrong otherwise, else empty."""

        async def is_gone() -> bool:
            stats = await self._stats(session_id)
            has_pairs = any(count.pair_count for count in stats.counts)
            return stats.cursor_sequence >= sequence and not (has_pairs or stats.open_review_count)

        return await _until(
            is_gone, "the collector still has pairs of the session", self._peers["collector"]
        )

    async def _stats(self, session_id: str) -> collector_pb2.StatsResponse:
        return await self._collector.Stats(
            collector_pb2.StatsRequest(session_id=session_id), timeout=_CALL_TIMEOUT_S
        )

    async def _newest_sessions(self) -> Iterable[gateway_pb2.Session]:
        request = gateway_pb2.ListSessionsRequest(page_size=_SESSIONS_NAMED)
        return (await self._gateway.ListSessions(request, timeout=_CALL_TIMEOUT_S)).sessions

    async def _texts(self, session_id: str) -> tuple[bytes, ...]:
        texts: list[str] = []
        others: list[str] = []
        with self._errors():
            async for event in self._events():
                (texts if event.session_id == session_id else others).extend(_texts(event))
        return tuple(
            form for piece in telling_pieces(texts, others) for form in sorted(written_forms(piece))
        )

    async def _sound(self, session_id: str, events: Iterable[gateway_pb2.JournalEvent]) -> bytes:
        """A piece of what was said, of the longest segments first; empty when all is silent."""
        spoken = [event.transcript for event in events if event.HasField("transcript")]
        spoken.sort(key=lambda final: final.start_offset_ms - final.end_offset_ms)
        for final in spoken[:_SEGMENTS_LISTENED_TO]:
            first, end = map(ms_to_samples, (final.start_offset_ms, final.end_offset_ms))
            data = await self._audio.read(session_id, first, end)
            if data is None:  # not kept
                break
            if piece := piece_of_sound(data):
                return piece
        return b""

    async def _events(self, session_id: str = "") -> AsyncIterator[gateway_pb2.JournalEvent]:
        call = self._journal.Follow(
            gateway_pb2.FollowRequest(session_id=session_id, until_now=True),
            timeout=_READ_TIMEOUT_S,
        )
        try:
            async for response in call:
                if response.HasField("event"):
                    yield response.event
        except grpc.aio.AioRpcError as error:
            if reason_of(error) != "UNKNOWN_SESSION":
                raise
        finally:
            call.cancel()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """A failed call to the gateway becomes the error that people are told."""
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise as_glossa_error(error, self._peers["gateway"]) from error


def _texts(event: gateway_pb2.JournalEvent) -> list[str]:
    """What was said, translated or written by a person."""
    match event.WhichOneof("event"):
        case "session_started":
            return [event.session_started.config.title]
        case "transcript":
            return [event.transcript.stable_text]
        case "translation":
            return [event.translation.text]
        case "alternative_translation":
            return [event.alternative_translation.text]
        case "correction":
            return [event.correction.text]
    return []


async def _until(is_so: Callable[[], Awaitable[bool]], otherwise: str, peer: Peer) -> str:
    """Asks until it is so; after the deadline, why it is not."""
    why = otherwise
    try:
        async with asyncio.timeout(_FOLLOW_TIMEOUT_S):
            while True:
                try:
                    if await is_so():
                        return ""
                    why = otherwise
                except grpc.aio.AioRpcError as error:
                    why = f"nobody could ask: {as_glossa_error(error, peer).message}"
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return why


def _unknown(session_id: str, sessions: Iterable[gateway_pb2.Session]) -> NotFound:
    newest = ", ".join(
        f"{session.session_id} ({session.title or 'untitled'})" for session in sessions
    )
    return NotFound(
        "UNKNOWN_SESSION",
        f"there is no session {session_id!r}; "
        + (f"the newest are {newest}" if newest else "the journal has no session at all"),
    )


def _open(session_id: str) -> WrongState:
    return WrongState(
        "SESSION_OPEN",
        f"session {session_id} is still open: end it first, with Ctrl-C in the `live` that feeds "
        "it",
    )
