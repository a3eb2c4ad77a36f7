"""WebSockets that end with a reason, and only so many of a kind at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from services.captions.web.access import while_allowed
from services.errors import (
    DeadlinePassed,
    GlossaError,
    NotFound,
    OutOfRange,
    Overloaded,
    Unavailable,
)
from services.web import error_body

log = structlog.get_logger()

CLOSE_TIMEOUT_S = 1.0
_PAUSE_S = 0.02
# 4000 and more are ours to give a meaning (RFC 6455, 7.4.2); the reason travels beside each.
_CLOSE_REFUSED = 4400
_CLOSE_NOT_FOUND = 4404
_CLOSE_OUT_OF_RANGE = 4416

Work = Callable[[web.WebSocketResponse], Coroutine[Any, Any, None]]


class Sockets:
    """The open WebSockets of one kind.

    Args:
        limit: at once; further ones are refused.
        refusal: with what.
    """

    def __init__(self, limit: int, refusal: Callable[[], Overloaded]) -> None:
        self._limit = limit
        self._refusal = refusal
        self._open_count = 0
        self._draining = asyncio.Event()
        self._left = asyncio.Event()

    async def drain(self) -> None:
        """Ends every socket with SHUTTING_DOWN, and waits until they are closed."""
        self._draining.set()
        while self._open_count:
            self._left.clear()
            await self._left.wait()

    async def serve(
        self, request: web.Request, socket: web.WebSocketResponse, work: Work
    ) -> web.WebSocketResponse:
        """Answers with `socket` and works on it; a GlossaError is told and closes it.

        Browsers do not show a page why a WebSocket could not be opened: it is said in an open one.
        """
        await socket.prepare(request)
        self._open_count += 1
        try:
            if self._open_count > self._limit:
                raise self._refusal()
            async with while_allowed(request):
                await until_one_ends(work(socket), self._stop())
        except GlossaError as error:
            await close(request, socket, error)
        except ConnectionError:
            log.debug("web_socket_left", path=request.path)
        finally:
            self._open_count -= 1
            self._left.set()
        return socket

    async def _stop(self) -> None:
        await self._draining.wait()
        raise Unavailable("SHUTTING_DOWN", "captions is stopping; open this again in a moment")


async def until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Runs all of it until one part ends; raises what that one raised."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def close(request: web.Request, socket: web.WebSocketResponse, error: GlossaError) -> None:
    """Tells why and closes; drops the connection when the other side does not listen."""
    log.info("web_socket_ended", path=request.path, reason=error.reason)
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await socket.send_str(json.dumps(error_body(error)))
            await socket.close(code=_close_code(error), message=error.reason.encode())
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()


async def read_until_closed(socket: web.WebSocketResponse) -> None:
    """Reading is what answers pings and notices a close; what is said is not looked at.

    A message at a time, with a pause: who talks without end has to wait, not everybody else.

    Args:
        socket: with autoping=False; aiohttp would answer pings without a pause.
    """
    # Who asks and leaves does not wait for the answer.
    with contextlib.suppress(ConnectionError):
        async for message in socket:
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            await asyncio.sleep(_PAUSE_S)


def _close_code(error: GlossaError) -> int:
    if error.reason == "SHUTTING_DOWN":
        return WSCloseCode.SERVICE_RESTART
    if isinstance(error, (Overloaded, Unavailable, DeadlinePassed)):
        return WSCloseCode.TRY_AGAIN_LATER
    if isinstance(error, NotFound):
        return _CLOSE_NOT_FOUND
    return _CLOSE_OUT_OF_RANGE if isinstance(error, OutOfRange) else _CLOSE_REFUSED
