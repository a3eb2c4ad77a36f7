"""Live captions over a WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiohttp import web

from services.captions.relay import Relay
from services.captions.viewer import Query
from services.captions.web.access import while_allowed
from services.captions.web.encoding import forget_events, websocket_frame
from services.captions.web.live_query import live_query
from services.captions.web.sockets import CLOSE_TIMEOUT_S, close, read_until_closed
from services.captions.web.wire import Wire
from services.errors import GlossaError

log = structlog.get_logger()

_PING_INTERVAL_S = 20.0


class LiveApi:
    """/ws: the events of CaptionService.Subscribe as JSON."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        relay.on_forgotten(forget_events)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/ws", self._web_socket)]

    async def _web_socket(self, request: web.Request) -> web.StreamResponse:
        query = live_query(request)
        # Captions are small and the same for many: compressing each by itself costs more than it
        # saves.
        socket = web.WebSocketResponse(
            compress=False,
            autoping=False,
            heartbeat=_PING_INTERVAL_S,
            max_msg_size=4096,
            timeout=CLOSE_TIMEOUT_S,
        )
        await socket.prepare(request)
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(read_until_closed(socket))
            sender = tasks.create_task(self._send_events(request, socket, query))
            await asyncio.wait({reader, sender}, return_when=asyncio.FIRST_COMPLETED)
            if sender.done() and (error := sender.result()) is not None:
                await close(request, socket, error)
            sender.cancel()
            reader.cancel()
        return socket

    async def _send_events(
        self, request: web.Request, socket: web.WebSocketResponse, query: Query
    ) -> GlossaError | None:
        """Sends until this side has to end it, and returns why; None when the display went."""
        try:
            async with (
                while_allowed(request),
                self._relay.watching(query, "websocket") as viewer,
            ):
                wire = Wire(request, websocket_frame, lambda: socket.closed)
                await wire.carry(viewer)
        except GlossaError as error:
            return error
        except ConnectionError:
            log.debug("web_socket_left")
        return None
