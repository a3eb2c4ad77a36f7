"""What `./glossa bench captions` compares with: everybody is sent everything, one after the other.

The way that is written first: `await send()` to each display in turn, JSON made for each. Its loop
and its HTTP server are those of the captions service, so that what differs is the fan-out.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys

from aiohttp import web

from services.captions.event_loop import new_event_loop
from services.captions.events import CaughtUp, Event
from services.captions.open_files import allow_viewers
from services.captions.settings import CaptionsSettings
from services.captions.upstream import Upstream


class NaiveBroadcast:
    """All displays of all sessions in one set."""

    def __init__(self) -> None:
        self._sockets: set[web.WebSocketResponse] = set()
        self._history: list[Event] = []

    async def follow(self, upstream: str) -> None:
        settings = CaptionsSettings.model_validate({"upstream_address": upstream})
        async for update in Upstream(settings).updates():
            if isinstance(update, Event):
                if update.sequence:
                    self._history.append(update)
                for socket in list(self._sockets):
                    try:
                        await socket.send_str(_json(update))
                    except ConnectionError:
                        self._sockets.discard(socket)

    async def web_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        for event in self._history:
            if event.sequence > int(request.query["after"]):
                await socket.send_str(_json(event))
        await socket.send_str(_json(Event(0, "", None, CaughtUp(len(self._history)))))
        self._sockets.add(socket)
        async for _ in socket:
            pass
        self._sockets.discard(socket)
        return socket


def _json(event: Event) -> str:
    name = "caught_up" if isinstance(event.body, CaughtUp) else "caption"
    return json.dumps(
        {
            "sequence": event.sequence,
            "session_id": event.session_id,
            "time": event.time.isoformat() if event.time else None,
            name: dataclasses.asdict(event.body),
            "journal_id": "bench",
        },
        ensure_ascii=False,
    )


async def _serve(port: str, upstream: str) -> None:
    broadcast = NaiveBroadcast()
    app = web.Application()
    app.router.add_get("/ws", broadcast.web_socket)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(port), backlog=4096).start()
    await broadcast.follow(upstream)


if __name__ == "__main__":
    allow_viewers(0)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(*sys.argv[1:]))
