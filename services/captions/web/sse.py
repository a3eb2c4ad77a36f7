"""Live captions as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

For networks that let no WebSocket through.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

import structlog
from aiohttp import HttpVersion11, web

from services.captions.relay import Relay
from services.captions.viewer import Query
from services.captions.web.access import while_allowed
from services.captions.web.encoding import chunk, forget_events, sse_chunk, sse_message
from services.captions.web.live_query import live_query
from services.captions.web.wire import Wire
from services.errors import GlossaError
from services.web import error_body

log = structlog.get_logger()

# The proxies on the way end what is silent for a minute; some already after half of one.
_KEEP_ALIVE_S = 15.0
_KEEP_ALIVE = b": still here\n\n"
_CLOSE_TIMEOUT_S = 1.0
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would gather events before it passes them on
}


class SseApi:
    """/events: the same events, query and queue as /ws."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        relay.on_forgotten(forget_events)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/events", self._events, allow_head=False)]

    async def _events(self, request: web.Request) -> web.StreamResponse:
        query = live_query(request)
        response = web.StreamResponse(headers=_HEADERS)
        response.force_close()  # who was cut shall see it, not keep a connection that says nothing
        await response.prepare(request)  # HTTP/1.1 sends it in chunks, 1.0 as it comes
        is_chunked = request.version >= HttpVersion11
        wire = Wire(request, sse_chunk if is_chunked else sse_message)
        as_sent: Callable[[bytes], bytes] = chunk if is_chunked else bytes
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(_watch(wire, as_sent(_KEEP_ALIVE)))
            sender = tasks.create_task(self._send_events(request, wire, query))
            await asyncio.wait({watcher, sender}, return_when=asyncio.FIRST_COMPLETED)
            if sender.done() and (error := sender.result()) is not None:
                log.info("event_source_ended", reason=error.reason)
                await _end(wire, as_sent(_error_message(error)))
            sender.cancel()
            watcher.cancel()
        return response

    async def _send_events(
        self, request: web.Request, wire: Wire, query: Query
    ) -> GlossaError | None:
        """Sends until this side has to end it, and returns why; None when the display went."""
        try:
            async with (
                while_allowed(request),
                self._relay.watching(query, "sse") as viewer,
            ):
                await wire.carry(viewer)
        except GlossaError as error:
            return error
        except ConnectionError:
            log.debug("event_source_left")
        return None


async def _watch(wire: Wire, keep_alive: bytes) -> None:
    """Says now and then that the service is there; ends when the display has left."""
    while wire.is_open:
        await asyncio.sleep(_KEEP_ALIVE_S)
        if wire.has_room:
            wire.write(keep_alive)


async def _end(wire: Wire, last: bytes) -> None:
    """Says why, then lets the answer end; a display that does not even take that is dropped."""
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            wire.write(last)
            await wire.drained()
    except (TimeoutError, ConnectionError):
        wire.abort()


def _error_message(error: GlossaError) -> bytes:
    return b"event: error\ndata: %b\n\n" % json.dumps(error_body(error)).encode()
