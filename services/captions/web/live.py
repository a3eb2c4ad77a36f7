"""Live captions over a WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import structlog
from aiohttp import WSCloseCode, web

from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.viewer import Query
from services.captions.web.encoding import forget_events, websocket_frame
from services.captions.web.live_query import live_query
from services.captions.web.wire import Wire
from services.errors import GlossaError, NotFound, OutOfRange, Overloaded, Unavailable
from services.web import error_body

log = structlog.get_logger()

# 4000 and more are ours to give a meaning (RFC 6455, 7.4.2); the reason travels beside each.
_CLOSE_REFUSED = 4400
_CLOSE_NOT_FOUND = 4404
_CLOSE_OUT_OF_RANGE = 4416
_CLOSE_TIMEOUT_S = 1.0
_PING_INTERVAL_S = 20.0


class LiveApi:
    """/ws: the events of CaptionService.Subscribe as JSON."""

    def __init__(self, relay: Relay, settings: CaptionsSettings) -> None:
        self._relay = relay
        self._settings = settings
        relay.on_forgotten(forget_events)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/ws", self._web_socket)]

    async def _web_socket(self, request: web.Request) -> web.StreamResponse:
        query = live_query(request)
        # Captions are small and the same for many: compressing each by itself costs more than it
        # saves.
        socket = web.WebSocketResponse(
            compress=False, heartbeat=_PING_INTERVAL_S, max_msg_size=4096, timeout=_CLOSE_TIMEOUT_S
        )
        await socket.prepare(request)
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(_read_until_closed(socket))
            sender = tasks.create_task(self._send_events(request, socket, query))
            await asyncio.wait({reader, sender}, return_when=asyncio.FIRST_COMPLETED)
            if sender.done() and (error := sender.result()) is not None:
                await self._close(request, socket, error)
            sender.cancel()
            reader.cancel()
        return socket

    async def _send_events(
        self, request: web.Request, socket: web.WebSocketResponse, query: Query
    ) -> GlossaError | None:
        """Sends until this side has to end it, and returns why; None when the display went."""
        try:
            async with self._relay.watching(query, "websocket") as viewer:
                wire = Wire(request, websocket_frame, lambda: socket.closed)
                await wire.carry(viewer, self._settings.write_timeout_s)
        except GlossaError as error:
            return error
        except ConnectionError:
            log.debug("web_socket_left")
        return None

    async def _close(
        self, request: web.Request, socket: web.WebSocketResponse, error: GlossaError
    ) -> None:
        log.info("web_socket_ended", reason=error.reason)
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await socket.send_str(json.dumps(error_body(error)))
                await socket.close(code=_close_code(error), message=error.reason.encode())
        except (TimeoutError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()


async def _read_until_closed(socket: web.WebSocketResponse) -> None:
    """Reading is what answers pings and notices a close; what a display says is not looked at."""
    async for _ in socket:
        pass


def _close_code(error: GlossaError) -> int:
    if error.reason == "SHUTTING_DOWN":
        return WSCloseCode.SERVICE_RESTART
    if isinstance(error, (Overloaded, Unavailable)):
        return WSCloseCode.TRY_AGAIN_LATER
    if isinstance(error, NotFound):
        return _CLOSE_NOT_FOUND
    return _CLOSE_OUT_OF_RANGE if isinstance(error, OutOfRange) else _CLOSE_REFUSED
