"""A browser's microphone as a speaker of the gateway.

The browser sends a config, then samples; it keeps what is above the last receipt's safe_sample, and
after a break opens the socket again with its session_id. Nothing is kept here: while the gateway
does not take audio, the socket is not read, and the browser's own buffer fills.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import grpc
from aiohttp import WSMessage, WSMsgType, web

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services.audio import SAMPLE_RATE_HERTZ
from services.captions.settings import CaptionsSettings
from services.captions.viewer import slow_consumer
from services.captions.web.message_json import as_json
from services.captions.web.operator_gateway import OperatorGateway, as_glossa_error, parsed
from services.captions.web.sockets import CLOSE_TIMEOUT_S, Sockets, until_one_ends
from services.errors import (
    DeadlinePassed,
    InvalidInput,
    Overloaded,
    PeerStatus,
    Unavailable,
)

_MICROPHONES_LIMIT = 8
_FIRST_SAMPLE_BYTES = 8
# The gateway refuses a chunk above 64 KiB with a reason; what is far longer is closed with 1009.
_MESSAGE_LIMIT_BYTES = 256 * 1024
_OPEN_TIMEOUT_S = 10.0
# A microphone is never silent: a browser that sends nothing is gone. Without pings, because their
# answers would not be read either while the gateway takes nothing.
_IDLE_TIMEOUT_S = 20.0
_STALLED_TIMEOUT_S = 60.0  # for the gateway to take one chunk
_SETTLE_TIMEOUT_S = 300.0  # from the end of the speech to the end of the session

_FORMAT = types_pb2.AudioFormat(
    encoding=types_pb2.AUDIO_ENCODING_PCM_S16LE,
    sample_rate_hertz=SAMPLE_RATE_HERTZ,
    channel_count=1,
)


class MicrophoneApi:
    """/operator/microphone: GatewayService.StreamAudio for browsers."""

    def __init__(self, gateway: OperatorGateway, settings: CaptionsSettings) -> None:
        self._gateway = gateway
        self._write_timeout_s = settings.write_timeout_s
        self._sockets = Sockets(_MICROPHONES_LIMIT, _too_many_microphones)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/operator/microphone", self._web_socket)]

    async def drain(self) -> None:
        await self._sockets.drain()

    async def _web_socket(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=_MESSAGE_LIMIT_BYTES, timeout=CLOSE_TIMEOUT_S
        )
        return await self._sockets.serve(request, socket, self._speak)

    async def _speak(self, socket: web.WebSocketResponse) -> None:
        """Returns when the session is closed or the browser has left, which may come back."""
        config = _config(await _next(socket, _IDLE_TIMEOUT_S))
        async with self._stream(config) as (call, opened):
            await self._answer(socket, opened)
            await until_one_ends(self._send(socket, call), self._receive(socket, call))

    @contextlib.asynccontextmanager
    async def _stream(self, config: gateway_pb2.SessionConfig) -> AsyncIterator[tuple[Any, Any]]:
        """The open call and its first answer. Raises what the gateway ended it with."""
        call = gateway_pb2_grpc.GatewayServiceStub(self._gateway.channel).StreamAudio()
        status = PeerStatus(call)
        try:
            async with asyncio.timeout(_OPEN_TIMEOUT_S):
                await call.write(gateway_pb2.StreamAudioRequest(config=config))
                opened = await call.read()
            if opened is grpc.aio.EOF:
                raise await status.error()
            yield call, opened
        except TimeoutError:
            raise _stalled() from None
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise as_glossa_error(await status.error()) from None
        finally:
            call.cancel()

    async def _send(self, socket: web.WebSocketResponse, call: Any) -> None:
        """Passes audio on; never ends but by an error, since it is the session that ends."""
        async with contextlib.aclosing(_chunks(socket)) as chunks:
            async for chunk in chunks:
                async with asyncio.timeout(_STALLED_TIMEOUT_S):
                    await call.write(gateway_pb2.StreamAudioRequest(audio=chunk))
        await call.done_writing()
        await _next(socket, _SETTLE_TIMEOUT_S)
        raise InvalidInput("AUDIO_AFTER_FINISH", "nothing may follow finish")

    async def _receive(self, socket: web.WebSocketResponse, call: Any) -> None:
        """Passes answers on until the last one."""
        while True:
            response = await call.read()
            if response is grpc.aio.EOF:
                raise Unavailable("GATEWAY_UNAVAILABLE", "the gateway ended the stream")
            await self._answer(socket, response)
            if response.WhichOneof("event") == "session_closed":
                return

    async def _answer(self, socket: web.WebSocketResponse, response: Any) -> None:
        try:
            async with asyncio.timeout(self._write_timeout_s):
                await socket.send_str(json.dumps(as_json(response)))
        except TimeoutError:
            raise slow_consumer() from None


async def _next(socket: web.WebSocketResponse, timeout_s: float) -> WSMessage:
    """The next message of the browser.

    Raises:
        DeadlinePassed: IDLE_TIMEOUT.
        ConnectionResetError: the browser has left.
    """
    try:
        message = await socket.receive(timeout=timeout_s)
    except TimeoutError:
        raise DeadlinePassed(
            "IDLE_TIMEOUT", f"nothing came from the microphone for {timeout_s:.0f} s"
        ) from None
    if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
        raise ConnectionResetError
    return message


def _config(message: WSMessage) -> gateway_pb2.SessionConfig:
    """Raises InvalidInput: AUDIO_BEFORE_CONFIG, INVALID_REQUEST."""
    if message.type is WSMsgType.BINARY:
        raise InvalidInput(
            "AUDIO_BEFORE_CONFIG", "send the session's config as JSON before its audio"
        )
    config = parsed(_json(message), gateway_pb2.SessionConfig())
    config.format.CopyFrom(_FORMAT)
    return config


async def _chunks(socket: web.WebSocketResponse) -> AsyncGenerator[types_pb2.AudioChunk, None]:
    """The audio until the browser says that it is over; the gateway judges it."""
    while (message := await _next(socket, _IDLE_TIMEOUT_S)).type is WSMsgType.BINARY:
        if len(message.data) < _FIRST_SAMPLE_BYTES:
            raise InvalidInput(
                "EMPTY_CHUNK", "audio is the number of its first sample in 8 bytes, then samples"
            )
        yield types_pb2.AudioChunk(
            first_sample=int.from_bytes(message.data[:_FIRST_SAMPLE_BYTES], "little", signed=True),
            data=message.data[_FIRST_SAMPLE_BYTES:],
        )
    if _json(message) != {"finish": True}:
        raise InvalidInput("CONFIG_REPEATED", 'after the config only {"finish": true} is JSON')


def _json(message: WSMessage) -> dict[str, Any]:
    """Raises InvalidInput: INVALID_REQUEST."""
    try:
        value = json.loads(message.data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidInput("INVALID_REQUEST", "send one JSON object")
    return value


def _stalled() -> Unavailable:
    return Unavailable(
        "GATEWAY_UNAVAILABLE", "the gateway does not take audio now; open this again in a moment"
    )


def _too_many_microphones() -> Overloaded:
    return Overloaded(
        "TOO_MANY_MICROPHONES",
        f"{_MICROPHONES_LIMIT} microphones are open already; stop one first",
        retry_after_s=5.0,
    )
