"""A server that speaks version 5 of the obs-websocket protocol, as its document describes it.

https://github.com/obsproject/obs-websocket/blob/master/docs/generated/protocol.md
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

_CHALLENGE = "+IxH4CnCiqpX1rM9scsNynZzbOe4KhDeYcTNS3PDaeY="
_GONE = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
_SALT = "lM1GncleQOaCu9lT1yeUZhFYnqhsLLP1G5lAGo3ixaI="


@dataclass
class Input:
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)


class Refused(Exception):
    """A request that fails: a RequestStatus code and its comment."""


class ObsStudio:
    """An OBS with a text source "Captions", on a port, until it stops; it may start again.

    Args:
        password: empty: none is asked for.
        rpc_version: the one that its Hello offers; None: it waits for the client to begin, as
            version 4 did.
    """

    def __init__(self, port: int, password: str = "", rpc_version: int | None = 1) -> None:
        self.address = f"127.0.0.1:{port}"
        self.inputs = {
            "Captions": Input("text_ft2_source_v2", {"text": "left over", "font": {"size": 48}}),
            "Slides": Input("browser_source"),
            "Título": Input("text_gdiplus_v3"),
        }
        self.is_streaming = True
        self.stream_captions: list[str] = []
        self.texts: list[tuple[float, str]] = []  # when each came
        self.violations: list[str] = []
        self._port = port
        self._password = password
        self._rpc_version = rpc_version
        self._closings: set[asyncio.Future[int]] = set()  # of each connection: the code, to end it
        self._runner: web.AppRunner | None = None

    @property
    def text(self) -> str:
        """What the source shows."""
        return str(self.inputs["Captions"].settings.get("text", ""))

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self.disconnect(1001)
            await self._runner.cleanup()
            self._runner = None

    async def disconnect(self, code: int) -> None:
        """Closes every connection."""
        for closing in self._closings:
            closing.set_result(code)
        self._closings.clear()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("obswebsocket.json",), timeout=1.0)
        await socket.prepare(request)
        closing = asyncio.get_running_loop().create_future()
        self._closings.add(closing)
        try:
            if self._rpc_version is not None:
                await self._send(socket, 0, self._hello())
            is_identified = False
            while (message := await _received(socket, closing)) is not None:
                if message.type is not WSMsgType.TEXT:
                    await self._violated(socket, 4002, "not a text frame")
                    break
                content = json.loads(message.data)
                if content["op"] == 1 and not is_identified:
                    if not await self._identify(socket, content["d"]):
                        break
                    is_identified = True
                elif content["op"] == 6 and is_identified:
                    await self._answer(socket, content["d"])
                else:
                    await self._violated(socket, 4007, f"op {content['op']} out of place")
                    break
        finally:
            self._closings.discard(closing)
        return socket

    def _hello(self) -> dict[str, Any]:
        hello: dict[str, Any] = {
            "obsWebSocketVersion": "5.1.0",
            "rpcVersion": self._rpc_version,
        }
        if self._password:
            hello["authentication"] = {"challenge": _CHALLENGE, "salt": _SALT}
        return hello

    async def _identify(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> bool:
        if data["rpcVersion"] != self._rpc_version:
            await socket.close(code=4010)
            return False
        if self._password:
            secret = base64.b64encode(hashlib.sha256((self._password + _SALT).encode()).digest())
            wanted = base64.b64encode(hashlib.sha256(secret + _CHALLENGE.encode()).digest())
            if data.get("authentication") != wanted.decode():
                await socket.close(code=4009)
                return False
        await self._send(socket, 2, {"negotiatedRpcVersion": data["rpcVersion"]})
        return True

    async def _answer(self, socket: web.WebSocketResponse, data: dict[str, Any]) -> None:
        if not isinstance(data["requestId"], str):
            await self._violated(socket, 4004, "requestId is a string")
            return
        requests: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
            "GetInputList": self._list_inputs,
            "GetInputSettings": lambda wanted: {
                "inputSettings": self._input(wanted).settings,
                "inputKind": self._input(wanted).kind,
            },
            "SetInputSettings": self._set_settings,
            "SendStreamCaption": self._send_stream_caption,
        }
        answer = {name: data[name] for name in ("requestType", "requestId")}
        try:
            content = requests[data["requestType"]](data.get("requestData") or {})
            answer["requestStatus"] = {"result": True, "code": 100}
            if content is not None:
                answer["responseData"] = content
        except KeyError as error:
            answer["requestStatus"] = {"result": False, "code": 204, "comment": str(error)}
        except Refused as error:
            code, comment = error.args
            answer["requestStatus"] = {"result": False, "code": code, "comment": comment}
        await self._send(socket, 7, answer)

    def _list_inputs(self, wanted: dict[str, Any]) -> dict[str, Any]:
        return {
            "inputs": [
                {"inputName": name, "inputKind": each.kind} for name, each in self.inputs.items()
            ]
        }

    def _set_settings(self, wanted: dict[str, Any]) -> None:
        source = self._input(wanted)
        if not wanted.get("overlay", True):
            source.settings.clear()
        source.settings.update(wanted["inputSettings"])
        self.texts.append((time.monotonic(), source.settings["text"]))

    def _send_stream_caption(self, wanted: dict[str, Any]) -> None:
        if not self.is_streaming:
            raise Refused(501, "")
        self.stream_captions.append(wanted["captionText"])

    def _input(self, wanted: dict[str, Any]) -> Input:
        if wanted["inputName"] not in self.inputs:
            raise Refused(600, "No source was found by the name")
        return self.inputs[wanted["inputName"]]

    async def _violated(self, socket: web.WebSocketResponse, code: int, what: str) -> None:
        self.violations.append(what)
        await socket.close(code=code)

    async def _send(self, socket: web.WebSocketResponse, op: int, data: dict[str, Any]) -> None:
        await socket.send_str(json.dumps({"op": op, "d": data}))


async def _received(
    socket: web.WebSocketResponse, closing: asyncio.Future[int]
) -> WSMessage | None:
    """The next message; None once the client has gone, or was told the code of `closing`."""
    receiving = asyncio.create_task(socket.receive())
    await asyncio.wait({receiving, closing}, return_when=asyncio.FIRST_COMPLETED)
    if receiving.done():
        message = receiving.result()
        return None if message.type in _GONE else message
    receiving.cancel()
    await asyncio.wait({receiving})
    await socket.close(code=closing.result())
    return None
