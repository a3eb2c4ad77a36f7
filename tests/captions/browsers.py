"""Displays over each of the transports, all read alike: what a browser gets is the same message."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from google.protobuf import json_format

from glossa.captions.v1 import captions_pb2 as captions
from tests.captions.displays import Display, subscribed
from tests.processes import ServiceProcess

TRANSPORTS = ("grpc", "websocket", "sse")


class RefusedError(Exception):
    """How the service ended a browser's connection, by its reason.

    CUT_OFF when it gave none: who reads nothing for a second more is not told.
    """


class _WebSocketCall:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def read(self) -> captions.SubscribeResponse:
        received = await self._socket.receive()
        if received.type is not aiohttp.WSMsgType.TEXT:
            raise RefusedError("CUT_OFF")
        return _message(received.json())


class _EventSourceCall:
    """Reads as browsers do: fields a line, an event at each empty line, comments passed over."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer

    async def read(self) -> captions.SubscribeResponse:
        fields: dict[str, str] = {}
        while line := await self._line():
            if line == "\n":
                if not fields:
                    continue
                message = _message(json.loads(fields["data"]))
                assert fields.get("id", "0") == str(message.sequence)
                return message
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                fields[name] = value
        raise RefusedError("CUT_OFF")

    async def _line(self) -> str:
        try:
            return (await self._answer.content.readline()).decode()
        except aiohttp.ClientError:
            return ""


def _message(fields: dict[str, Any]) -> captions.SubscribeResponse:
    if "error" in fields:
        raise RefusedError(fields["error"]["reason"])
    return json_format.ParseDict(fields, captions.SubscribeResponse())


@asynccontextmanager
async def displayed(
    service: ServiceProcess, transport: str, **request: Any
) -> AsyncIterator[Display]:
    """A display over one of TRANSPORTS; `request`: fields of SubscribeRequest."""
    if transport == "grpc":
        async with subscribed(service.address, **request) as display:
            yield display
        return
    query = {
        "session": request.get("session_id", ""),
        "language": ",".join(request.get("languages", ())),
        "after": str(request.get("after_sequence", 0)),
    }
    web = service.web  # type: ignore[attr-defined]
    connector = aiohttp.TCPConnector(ssl=False)  # a certificate of a test's own is good enough
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**20) as http:
        if transport == "websocket":
            async with http.ws_connect(f"{web}/ws", params=query) as socket:
                yield Display(_WebSocketCall(socket))
        else:
            async with http.get(f"{web}/events", params=query) as answer:
                assert answer.status == 200
                yield Display(_EventSourceCall(answer))
