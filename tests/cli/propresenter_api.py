"""A server that answers as much of ProPresenter's API as showing a text needs.

As https://openapi.propresenter.com has it; a request of another shape is answered 400 and noted.
"""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

CAPTIONS_ID = "0A1B2C3D-0000-4000-8000-000000000001"


def _message(name: str, uuid: str, text: str, tokens: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": {"name": name, "uuid": uuid, "index": 0},
        "message": text,
        "tokens": tokens,
        "theme": {"name": "Default", "uuid": "", "index": 0},
        "visible_on_network": True,
    }


def _text_token(name: str) -> dict[str, Any]:
    return {"name": name, "text": {"text": ""}}


class ProPresenter:
    """One program on a port, until it stops; it may start again, and then shows nothing.

    `shown` is the text of the message "Captions", `stage` that of the stage screens; None: hidden.
    """

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        clock = {"name": "Time", "clock": {"format": {"date": "none", "time": "short"}}}
        self.messages = [
            _message("Captions", CAPTIONS_ID, "{Caption}", [_text_token("Caption"), clock]),
            _message("Nursery", "N", "{Child} {Room}", [_text_token("Child"), _text_token("Room")]),
            _message("Welcome", "W", "Welcome!", []),
        ]
        self.shown: str | None = None
        self.stage: str | None = None
        self.times: list[float] = []  # when each text came
        self.wrong_requests: list[str] = []
        self._port = port
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        self.shown = self.stage = None
        app = web.Application(middlewares=[self._note_wrong])
        app.add_routes(
            [
                web.get("/version", self._version),
                web.get("/v1/messages", self._list_messages),
                web.post("/v1/message/{id}/trigger", self._trigger),
                web.get("/v1/message/{id}/clear", self._clear),
                web.put("/v1/stage/message", self._put_stage),
                web.delete("/v1/stage/message", self._delete_stage),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _note_wrong(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
        except (web.HTTPException, KeyError, TypeError, ValueError) as error:
            self.wrong_requests.append(f"{request.method} {request.path}: {error!r}")
            status = error.status if isinstance(error, web.HTTPException) else 400
            return web.Response(status=status)
        return response

    async def _version(self, request: web.Request) -> web.Response:
        version = {
            "name": "Main",
            "platform": "mac",
            "host_description": "ProPresenter 7.9",
            "api_version": "v1",
        }
        return web.json_response(version)

    async def _list_messages(self, request: web.Request) -> web.Response:
        return web.json_response(self.messages)

    async def _trigger(self, request: web.Request) -> web.Response:
        """Its body is a list of {"name", "text": {"text"}}."""
        if request.match_info["id"] != CAPTIONS_ID:
            raise web.HTTPNotFound
        (token,) = await self._json(request)
        if set(token) != {"name", "text"} or set(token["text"]) != {"text"}:
            raise ValueError(token)
        if token["name"] != "Caption" or not isinstance(token["text"]["text"], str):
            raise ValueError(token)
        self.shown = token["text"]["text"]
        self.times.append(time.monotonic())
        return web.Response(status=204)

    async def _clear(self, request: web.Request) -> web.Response:
        if request.match_info["id"] != CAPTIONS_ID:
            raise web.HTTPNotFound
        self.shown = None
        return web.Response(status=204)

    async def _put_stage(self, request: web.Request) -> web.Response:
        """Its body is one JSON string."""
        text = await self._json(request)
        if not isinstance(text, str):
            raise TypeError(text)
        self.stage = text
        return web.Response(status=204)

    async def _delete_stage(self, request: web.Request) -> web.Response:
        self.stage = None
        return web.Response(status=204)

    async def _json(self, request: web.Request) -> Any:
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        return await request.json()
