"""The gRPC client: a speaker that loses no audio, a display that misses no caption. Copy it freely.

speaker = SpeakerClient("127.0.0.1:7300", SessionRequest("en", ("es",)))
closed = await speaker.stream(chunks)                     # an async iterator of Chunk

async for event in CaptionSubscriber("127.0.0.1:7308", languages=("es",)).events():
    ...
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from cli.held_audio import HeldAudio, SendTimes
from glossa.captions.v1 import captions_pb2, captions_pb2_grpc
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ
from services.channels import current_identity, open_channel
from services.errors import (
    Forbidden,
    GlossaError,
    InvalidInput,
    NotFound,
    OutOfRange,
    Overloaded,
    PeerStatus,
    Superseded,
    Unauthenticated,
    Unavailable,
    WrongState,
    error_info,
)

HELD_LIMIT_S = 120.0
OPEN_TIMEOUT_S = 10.0  # for an answer to one attempt
FIRST_OPEN_TIMEOUT_S = 15.0  # for a gateway to be there at all
GIVE_UP_AFTER_S = 120.0  # without the gateway: it ends the session after about as long
_ENCRYPTED = "; if they run with certificates, set GLOSSA_CERTIFICATES_DIR here, too"
_BACKOFFS_S = (0.1, 0.2, 0.4, 0.8, 1.0)

_TERMINAL: dict[grpc.StatusCode, type[GlossaError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidInput,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.FAILED_PRECONDITION: WrongState,
    grpc.StatusCode.OUT_OF_RANGE: OutOfRange,
    grpc.StatusCode.ABORTED: Superseded,
    grpc.StatusCode.UNIMPLEMENTED: Unavailable,
}


@dataclass(frozen=True)
class Peer:
    """Whom a call went to, for people.

    Args:
        address: host:port; empty: not known.
        option: the one that names another address; empty: there is none.
    """

    name: str = "service"
    address: str = ""
    option: str = ""

    def unanswered(self) -> str:
        """That nobody answers, and what to do."""
        where = f" at {self.address}" if self.address else ""
        another = f", or name another one with {self.option} HOST:PORT" if self.option else ""
        encrypted = "" if current_identity().certificates_dir else _ENCRYPTED
        return (
            f"no {self.name} answers{where}; start the services with `./glossa up`"
            f"{another}{encrypted}"
        )


def as_glossa_error(error: grpc.aio.AioRpcError, peer: Peer = Peer()) -> GlossaError:
    """A failed call as the error that the service raised; Unavailable when the network did it."""
    info = error_info(error)
    reason = info.reason if info is not None else error.code().name
    if info is None and error.code() is grpc.StatusCode.UNAVAILABLE:
        return Unavailable(reason, peer.unanswered())
    if info is None and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return Unavailable(reason, f"the {peer.name} did not answer in time; look at its log")
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return Overloaded(reason, error.details() or reason)
    kind = _TERMINAL.get(error.code(), Unavailable)
    return kind(reason, error.details() or reason, **(dict(info.metadata) if info else {}))


def is_worth_another_try(error: GlossaError) -> bool:
    """Whether the same request can succeed in a moment."""
    return isinstance(error, Unavailable | Overloaded) and error.reason != "UNIMPLEMENTED"


@dataclass(frozen=True)
class Chunk:
    """A run of mono 16-bit samples at 16 kHz. A jump in first_sample is a gap."""

    first_sample: int
    data: bytes


@dataclass(frozen=True)
class SessionRequest:
    """What a speaker wants of a new session."""

    source_language: str
    target_languages: tuple[str, ...]
    title: str = ""
    phrases: tuple[str, ...] = ()
    store_audio: bool = False


@dataclass(frozen=True)
class Closed:
    """How a session ended."""

    session_id: str
    final_count: int
    sequence: int


@dataclass(frozen=True)
class Opened:
    """The stream is open, for the first time or again."""

    session_id: str
    next_sample: int
    resumed: bool


@dataclass(frozen=True)
class Waiting:
    """The stream could not be opened yet; it is tried for `limit_s` in all.

    Args:
        message: why not, a sentence for people.
    """

    message: str
    limit_s: float


@dataclass(frozen=True)
class Broken:
    """The stream broke and will be opened again."""

    reason: str


@dataclass(frozen=True)
class GapMarked:
    """The gateway noted samples that never came."""

    first_sample: int
    next_sample: int


SpeakerEvent = Opened | Waiting | Broken | GapMarked


class SpeakerClient:
    """Sends one session's audio, through broken streams and a killed gateway."""

    def __init__(
        self,
        address: str,
        request: SessionRequest,
        *,
        speed: float = 0.0,
        on_event: Callable[[SpeakerEvent], None] = lambda event: None,
    ) -> None:
        """
        Args:
            speed: 1 sends each chunk when it would have been spoken, 2 twice as fast; 0 as fast as
                the gateway takes it (and for sources that keep their own time, like a microphone).
        """
        self.session_id = ""
        self.safe_sample = 0
        self.received_sample = 0
        self.sent_times = SendTimes()
        self._address = address
        self._peer = Peer("gateway", address, "--gateway")
        self._request = request
        self._speed = speed
        self._on_event = on_event
        self._held = HeldAudio()
        self._source_over = False
        self._changed = asyncio.Event()  # audio came, or was let go, or the source ended
        self._room = asyncio.Event()
        self._opened = asyncio.Event()

    @property
    def sent_s(self) -> float:
        """Audio taken from the source so far."""
        return self._held.end_sample / SAMPLE_RATE_HERTZ

    @property
    def held_s(self) -> float:
        """Audio that is not safe in the journal yet."""
        return self._held.held_s

    async def stream(self, source: AsyncIterator[Chunk]) -> Closed:
        """Sends all of `source`, then waits until the gateway has settled everything.

        Raises:
            GlossaError: what the gateway refused for good, with its reason; Unavailable
                GATEWAY_UNREACHABLE when it stayed away; whatever `source` raised.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                filling = tasks.create_task(self._fill(source))
                closed = await self._deliver()
                filling.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) == 1:
                raise group.exceptions[0] from None
            raise
        return closed

    async def _fill(self, source: AsyncIterator[Chunk]) -> None:
        """Takes audio from the source at its pace, and no more than may be held."""
        await self._opened.wait()
        started_at = time.monotonic()
        async for chunk in source:
            while self._held.held_s > HELD_LIMIT_S:
                self._room.clear()
                await self._room.wait()
            if self._speed:
                end_sample = chunk.first_sample + len(chunk.data) // BYTES_PER_SAMPLE
                end_s = end_sample / SAMPLE_RATE_HERTZ
                await asyncio.sleep(started_at + end_s / self._speed - time.monotonic())
            self._held.add(chunk.first_sample, chunk.data)
            self._changed.set()
        self._source_over = True
        self._changed.set()

    async def _deliver(self) -> Closed:
        failures = 0
        alone_since = time.monotonic()
        while True:
            received_before = self.received_sample
            was_open = bool(self.session_id)
            error: GlossaError
            try:
                return await self._stream_once()
            except TimeoutError:
                error = Unavailable("OPEN_TIMEOUT", self._peer.unanswered())
            except grpc.aio.AioRpcError as rpc_error:
                error = as_glossa_error(rpc_error, self._peer)
            if error.reason == "SESSION_ENDED" and self._source_over and was_open:
                return await self._look_up_end()  # our half-close arrived, its answer did not
            if not is_worth_another_try(error):
                raise error
            if self.received_sample > received_before or bool(self.session_id) != was_open:
                failures, alone_since = 0, time.monotonic()
            limit_s = GIVE_UP_AFTER_S if self.session_id else FIRST_OPEN_TIMEOUT_S
            if time.monotonic() - alone_since > limit_s:
                if isinstance(error, Overloaded):
                    raise error
                raise Unavailable(
                    "GATEWAY_UNREACHABLE",
                    f"{error.message} (tried for {limit_s:.0f} s)",
                ) from error
            if not failures:  # once, however often it is tried
                self._on_event(
                    Broken(error.reason) if self.session_id else Waiting(error.message, limit_s)
                )
            await asyncio.sleep(_BACKOFFS_S[min(failures, len(_BACKOFFS_S) - 1)])
            failures += 1

    async def _stream_once(self) -> Closed:
        """One stream, from the gateway's next_sample to the answer to our half-close."""
        async with open_channel(self._address) as channel:
            call = gateway_pb2_grpc.GatewayServiceStub(channel).StreamAudio()
            status = PeerStatus(call)
            sending: asyncio.Task[None] | None = None
            try:
                async with asyncio.timeout(OPEN_TIMEOUT_S):
                    await call.write(self._config())
                    opened = await call.read()
                if opened is grpc.aio.EOF:
                    raise await status.error()
                sending = asyncio.create_task(self._send(call, self._take_opened(opened)))
                while True:
                    response = await call.read()
                    if response is grpc.aio.EOF:
                        raise await status.error()
                    if response.WhichOneof("event") == "session_closed":
                        closed = response.session_closed
                        return Closed(self.session_id, closed.final_count, closed.sequence)
                    self._take(response)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                raise await status.error() from None
            finally:
                call.cancel()
                if sending is not None:
                    sending.cancel()
                    await asyncio.wait({sending})

    def _config(self) -> gateway_pb2.StreamAudioRequest:
        request = self._request
        return gateway_pb2.StreamAudioRequest(
            config=gateway_pb2.SessionConfig(
                session_id=self.session_id,
                format=types_pb2.AudioFormat(
                    encoding=types_pb2.AUDIO_ENCODING_PCM_S16LE,
                    sample_rate_hertz=SAMPLE_RATE_HERTZ,
                    channel_count=1,
                ),
                source_language=request.source_language,
                target_languages=request.target_languages,
                title=request.title,
                phrases=request.phrases,
                store_audio=request.store_audio,
            )
        )

    def _take_opened(self, response: gateway_pb2.StreamAudioResponse) -> int:
        opened = response.session_opened
        resumed = bool(self.session_id)
        self.session_id = opened.session_id
        self._opened.set()
        self._on_event(Opened(opened.session_id, opened.next_sample, resumed))
        return int(opened.next_sample)

    def _take(self, response: gateway_pb2.StreamAudioResponse) -> None:
        match response.WhichOneof("event"):
            case "receipt":
                self.safe_sample = response.receipt.safe_sample
                self.received_sample = response.receipt.received_sample
                self._held.release(self.safe_sample)
                self._room.set()
            case "audio_gap":
                gap = response.audio_gap
                self._on_event(GapMarked(gap.first_sample, gap.next_sample))

    async def _send(self, call: Any, next_sample: int) -> None:
        """Sends from `next_sample` to the end; a broken stream is the reader's to report."""
        try:
            while True:
                while (chunk := self._held.chunk_at(next_sample)) is not None:
                    first_sample, data = chunk
                    next_sample = first_sample + len(data) // BYTES_PER_SAMPLE
                    self.sent_times.add(next_sample, time.monotonic())
                    await call.write(
                        gateway_pb2.StreamAudioRequest(
                            audio=types_pb2.AudioChunk(first_sample=first_sample, data=data)
                        )
                    )
                if self._source_over:
                    await call.done_writing()
                    return
                self._changed.clear()
                await self._changed.wait()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return

    async def _look_up_end(self) -> Closed:
        """How the session ended while we were away.

        Raises:
            WrongState: SESSION_ENDED, before it had all our audio.
        """
        async with open_channel(self._address) as channel:
            call = gateway_pb2_grpc.JournalServiceStub(channel).Follow(
                gateway_pb2.FollowRequest(session_id=self.session_id, until_now=True),
                timeout=OPEN_TIMEOUT_S,
            )
            try:
                events = [answer.event async for answer in call if answer.HasField("event")]
            except grpc.aio.AioRpcError as error:
                raise as_glossa_error(error, self._peer) from error
        sequence, ended = next(
            (event.sequence, event.session_ended)
            for event in events
            if event.HasField("session_ended")
        )
        missing = self._held.end_sample - ended.received_sample
        if missing > 0:
            raise WrongState(
                "SESSION_ENDED",
                f"session {self.session_id} was ended without the last "
                f"{missing / SAMPLE_RATE_HERTZ:.1f} s of audio; start a new one to send them",
                session_id=self.session_id,
            )
        return Closed(self.session_id, ended.final_count, sequence)


class CaptionSubscriber:
    """Follows captions through lost connections: nothing durable comes twice or is missed."""

    def __init__(
        self,
        address: str,
        *,
        session_id: str = "",
        languages: tuple[str, ...] = (),
        after_sequence: int = 0,
        finals_only: bool = False,
        token: str = "",
        on_broken: Callable[[str], None] = lambda reason: None,
    ) -> None:
        """`after_sequence` is the last sequence already seen; keep it to go on after a restart."""
        self._metadata = [("authorization", f"Bearer {token}")] if token else None
        self.after_sequence = after_sequence
        self._journal_id = ""  # the journal that after_sequence counts in, once it is known
        self._address = address
        self._session_id = session_id
        self._languages = languages
        self._finals_only = finals_only
        self._on_broken = on_broken

    async def events(self) -> AsyncIterator[captions_pb2.SubscribeResponse]:
        """Every event after `after_sequence`, then live, for ever. Partials have sequence 0.

        Raises:
            GlossaError: what the service refused for good.
        """
        failures = 0
        async with open_channel(self._address) as channel:
            stub = captions_pb2_grpc.CaptionServiceStub(channel)
            while True:
                call = stub.Subscribe(
                    captions_pb2.SubscribeRequest(
                        session_id=self._session_id,
                        languages=self._languages,
                        after_sequence=self.after_sequence,
                        finals_only=self._finals_only,
                    ),
                    metadata=self._metadata,
                )
                try:
                    async for event in call:
                        failures = 0
                        if self._is_of_another_journal(event):
                            self.after_sequence = 0
                            break
                        self.after_sequence = max(self.after_sequence, event.sequence)
                        yield event
                    reason = "STREAM_ENDED"
                except grpc.aio.AioRpcError as rpc_error:
                    error = as_glossa_error(rpc_error)
                    reason = error.reason
                    if reason == "HISTORY_TRIMMED":
                        self.after_sequence = int(error.metadata["oldest_sequence"]) - 1
                    elif reason == "SEQUENCE_AHEAD":  # another journal: begin again
                        self.after_sequence = 0
                    elif not is_worth_another_try(error):
                        raise error from rpc_error
                finally:
                    call.cancel()
                self._on_broken(reason)
                await asyncio.sleep(_BACKOFFS_S[min(failures, len(_BACKOFFS_S) - 1)])
                failures += 1

    def _is_of_another_journal(self, event: captions_pb2.SubscribeResponse) -> bool:
        """Whether the journal was replaced while we were away: its sequences mean other events."""
        known, self._journal_id = self._journal_id, event.journal_id or self._journal_id
        return known not in ("", self._journal_id)
