"""The part of the obs-websocket 5 protocol that sets the text of a source.

https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md. Spoken here, not
by a library: the one that is kept (obsws-python) blocks, loses the close code that tells a wrong
password from an old protocol, takes a late answer for that to the next request, and logs the
password.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel

from cli.display_feed import REPLY_TIMEOUT_S
from cli.obs_messages import Hello, InputList, InputSettings, RequestResponse, data_of
from services.errors import InvalidInput, Unavailable, WrongState

_Kind = TypeVar("_Kind", bound=BaseModel)

_RPC_VERSION = 1
_HELLO, _IDENTIFY, _IDENTIFIED, _REQUEST, _RESPONSE = 0, 1, 2, 6, 7
_CLOSED_PASSWORD, _CLOSED_VERSION, _CLOSED_KICKED = 4009, 4010, 4011
_STATUS_NO_STREAM = 501
_TEXT_KINDS = ("text_gdiplus", "text_ft2_source", "text_pango_source")  # any version of them
_SETTINGS = "Tools > WebSocket Server Settings"


@dataclass(frozen=True)
class ObsServer:
    """Where OBS's WebSocket server is.

    Args:
        address: host:port.
        password: empty where none is wanted.
    """

    address: str
    password: str = field(repr=False)


def authentication(password: str, salt: str, challenge: str) -> str:
    """What proves to the server of `challenge` that the password is known (protocol, above)."""
    secret = base64.b64encode(hashlib.sha256((password + salt).encode()).digest()).decode()
    return base64.b64encode(hashlib.sha256((secret + challenge).encode()).digest()).decode()


@contextlib.asynccontextmanager
async def obs_source(
    server: ObsServer, source: str, has_stream_captions: bool
) -> AsyncIterator[ObsSource]:
    """A text source of a running OBS.

    Raises:
        Unavailable: OBS does not answer.
        InvalidInput: the password or the name of the source is wrong.
        WrongState: PROTOCOL_TOO_OLD; DISCONNECTED_BY_OBS, also later.
    """
    async with aiohttp.ClientSession() as http:
        socket = await _open(http, server)
        try:
            await _identify(socket, server)
            output = ObsSource(socket, server, source, has_stream_captions)
            await output.check_source()
            yield output
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(REPLY_TIMEOUT_S):
                    await socket.close()


class ObsSource:
    """One text source; requests go one after the other."""

    interval_s = 0.1

    def __init__(
        self,
        socket: aiohttp.ClientWebSocketResponse,
        server: ObsServer,
        source: str,
        has_stream_captions: bool,
    ) -> None:
        self.name = f"OBS at {server.address}, text source {source!r}"
        self._socket = socket
        self._server = server
        self._source = source
        self._has_stream_captions = has_stream_captions
        self._numbers = itertools.count(1)

    async def check_source(self) -> None:
        """Raises InvalidInput: UNKNOWN_SOURCE, with the text sources that there are."""
        found = _checked(InputList, await self._ask("GetInputList"), self._server)
        kinds = {each.input_name: each.input_kind for each in found.inputs}
        texts = [name for name, kind in kinds.items() if kind.startswith(_TEXT_KINDS)]
        if self._source in texts:
            return
        there = ", ".join(repr(name) for name in texts)
        what = (
            f"the source {self._source!r} is not a text but a {kinds[self._source]}"
            if self._source in kinds
            else f"OBS has no source {self._source!r}"
        )
        raise InvalidInput(
            "UNKNOWN_SOURCE",
            f"{what}; name one of its text sources with --source: {there}"
            if texts
            else f"{what}, and no text source at all; add one (Sources > + > Text)",
        )

    async def show(self, text: str, new_finals: tuple[str, ...]) -> None:
        await self._ask(
            "SetInputSettings",
            {"inputName": self._source, "inputSettings": {"text": text}, "overlay": True},
        )
        if self._has_stream_captions and new_finals:
            await self._ask(
                "SendStreamCaption",
                {"captionText": " ".join(new_finals)},
                allowed_status=_STATUS_NO_STREAM,
            )

    async def confirm(self, text: str) -> None:
        answer = await self._ask("GetInputSettings", {"inputName": self._source})
        settings = _checked(InputSettings, answer, self._server).input_settings
        if settings.get("text", "") != text:  # another collection of scenes
            await self.show(text, ())

    async def _ask(
        self, request_type: str, data: dict[str, Any] | None = None, allowed_status: int = 0
    ) -> dict[str, Any]:
        """The data of the answer. Raises Unavailable; WrongState: PROTOCOL_TOO_OLD."""
        request_id = str(next(self._numbers))
        request = {"requestType": request_type, "requestId": request_id, "requestData": data or {}}
        async with _deadline(self._server):
            await _send(self._socket, self._server, _REQUEST, request)
            while True:
                found = await _receive(self._socket, self._server, _RESPONSE)
                answer = _checked(RequestResponse, found, self._server)
                if answer.request_id == request_id:  # not that of one which came too late
                    break
        status = answer.request_status
        if not status.result and status.code != allowed_status:
            raise Unavailable(
                "OBS_REFUSED",
                f"OBS refuses {request_type} of {self._source!r} ({status.comment or status.code})",
            )
        return answer.response_data or {}


async def _open(http: aiohttp.ClientSession, server: ObsServer) -> aiohttp.ClientWebSocketResponse:
    try:
        async with asyncio.timeout(REPLY_TIMEOUT_S):
            return await http.ws_connect(f"ws://{server.address}", protocols=("obswebsocket.json",))
    except aiohttp.WSServerHandshakeError as error:
        raise _too_old(server) from error
    except (TimeoutError, aiohttp.ClientError) as error:
        raise Unavailable(
            "OBS_UNREACHABLE",
            f"no OBS answers at {server.address}; start it and enable its server ({_SETTINGS})",
        ) from error


async def _identify(socket: aiohttp.ClientWebSocketResponse, server: ObsServer) -> None:
    try:
        async with asyncio.timeout(REPLY_TIMEOUT_S):
            hello = _checked(Hello, await _receive(socket, server, _HELLO), server)
    except TimeoutError:  # version 4 waits for its client to begin
        raise _too_old(server) from None
    if hello.rpc_version < _RPC_VERSION:
        raise _too_old(server)
    identify: dict[str, Any] = {"rpcVersion": _RPC_VERSION, "eventSubscriptions": 0}
    if (proof := hello.authentication) is not None:
        if not server.password:
            raise InvalidInput(
                "PASSWORD_WANTED",
                f"OBS asks for a password: {_SETTINGS} > Show Connect Info has it; write it to a "
                "file and name that with --password-file",
            )
        identify["authentication"] = authentication(server.password, proof.salt, proof.challenge)
    async with _deadline(server):
        await _send(socket, server, _IDENTIFY, identify)
        await _receive(socket, server, _IDENTIFIED)


async def _send(
    socket: aiohttp.ClientWebSocketResponse, server: ObsServer, op: int, data: dict[str, Any]
) -> None:
    try:
        await socket.send_json({"op": op, "d": data})
    except (aiohttp.ClientError, ConnectionError) as error:
        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
            pass  # why it was closed may lie behind answers that nobody read
        raise _closed(message, server) from error


async def _receive(
    socket: aiohttp.ClientWebSocketResponse, server: ObsServer, op: int
) -> dict[str, Any]:
    """The data of the next message of the kind `op`; others are passed over."""
    while True:
        message = await socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise _closed(message, server)
        try:
            data = data_of(message.data, op)
        except ValueError:
            raise _too_old(server) from None
        if data is not None:
            return data


def _checked(kind: type[_Kind], data: dict[str, Any], server: ObsServer) -> _Kind:
    """Raises WrongState: PROTOCOL_TOO_OLD, it is no such message."""
    try:
        return kind.model_validate(data)
    except ValueError:
        raise _too_old(server) from None


def _closed(
    message: aiohttp.WSMessage, server: ObsServer
) -> InvalidInput | WrongState | Unavailable:
    """Why the server closed the connection."""
    code = message.data if message.type is aiohttp.WSMsgType.CLOSE else None
    if code == _CLOSED_PASSWORD:
        return InvalidInput(
            "WRONG_PASSWORD",
            f"OBS at {server.address} refuses the password; {_SETTINGS} > Show Connect Info has it",
        )
    if code == _CLOSED_VERSION:
        return _too_old(server)
    if code == _CLOSED_KICKED:
        return WrongState(
            "DISCONNECTED_BY_OBS",
            f"somebody disconnected these captions in OBS ({_SETTINGS}); start this again to go on",
        )
    return _went(server)


def _too_old(server: ObsServer) -> WrongState:
    return WrongState(
        "PROTOCOL_TOO_OLD",
        f"what answers at {server.address} does not speak version 5 of the obs-websocket protocol; "
        "OBS 28 and newer bring it along",
    )


def _went(server: ObsServer) -> Unavailable:
    return Unavailable("OBS_WENT", f"OBS at {server.address} went away")


@contextlib.asynccontextmanager
async def _deadline(server: ObsServer) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(REPLY_TIMEOUT_S):
            yield
    except TimeoutError:
        raise Unavailable("OBS_SILENT", f"OBS at {server.address} does not answer") from None
