"""What operators see and do: the gateway's status, its sessions, one session's journal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from aiohttp import web

from services.captions.metrics import CUTS, UPSTREAM_CONNECTED, VIEWERS, by_label, is_set
from services.captions.settings import CaptionsSettings
from services.captions.viewer import slow_consumer
from services.captions.web.live_query import live_query
from services.captions.web.operator_gateway import OPERATIONS, OperatorGateway
from services.captions.web.sockets import (
    CLOSE_TIMEOUT_S,
    Sockets,
    read_until_closed,
    until_one_ends,
)
from services.errors import GlossaError, Overloaded
from services.web import json_answer, json_object

_OPERATORS_LIMIT = 16
_STATUS_INTERVAL_S = 1.0
_PING_INTERVAL_S = 20.0


class OperatorApi:
    """/operator/: status, sessions, events, and a POST for each thing that can be done."""

    def __init__(self, gateway: OperatorGateway, settings: CaptionsSettings) -> None:
        self._gateway = gateway
        self._status_of_gateway = _Shared(gateway.status, _STATUS_INTERVAL_S)
        self._write_timeout_s = settings.write_timeout_s
        self._sockets = Sockets(_OPERATORS_LIMIT, _too_many_operators)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/operator/status", self._status),
            web.get("/operator/sessions", self._sessions),
            web.get("/operator/events", self._events),
            *(web.post(f"/operator/{name}", partial(self._operate, name)) for name in OPERATIONS),
        ]

    async def drain(self) -> None:
        await self._sockets.drain()

    async def _status(self, request: web.Request) -> web.Response:
        """GetStatusResponse, and what captions knows itself."""
        own = {
            "viewers": by_label(VIEWERS),
            "cuts": by_label(CUTS),
            "is_upstream_connected": is_set(UPSTREAM_CONNECTED),
        }
        return json_answer(await self._status_of_gateway() | own)

    async def _sessions(self, request: web.Request) -> web.Response:
        return json_answer(await self._gateway.sessions())

    async def _operate(self, name: str, request: web.Request) -> web.Response:
        return json_answer(await self._gateway.operate(name, await json_object(request)))

    async def _events(self, request: web.Request) -> web.StreamResponse:
        query = live_query(request)
        socket = web.WebSocketResponse(
            autoping=False,
            heartbeat=_PING_INTERVAL_S,
            max_msg_size=4096,
            timeout=CLOSE_TIMEOUT_S,
        )
        messages = self._gateway.follow(query.session_id, query.after_sequence)
        return await self._sockets.serve(request, socket, partial(self._send, messages))

    async def _send(
        self, messages: AsyncGenerator[Any, None], socket: web.WebSocketResponse
    ) -> None:
        """Sends until the operator goes. Raises GlossaError: why it ends from this side.

        One message at a time is taken from the gateway, which skips live updates for who is slow:
        nothing gathers here.
        """
        await until_one_ends(read_until_closed(socket), self._send_all(messages, socket))

    async def _send_all(
        self, messages: AsyncGenerator[Any, None], socket: web.WebSocketResponse
    ) -> None:
        async with contextlib.aclosing(messages):
            async for message in messages:
                text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
                try:
                    async with asyncio.timeout(self._write_timeout_s):
                        await socket.send_str(text)
                except TimeoutError:
                    raise slow_consumer() from None


class _Shared:
    """One answer for everybody who asks within `interval_s`; an error is an answer, too."""

    def __init__(self, ask: Callable[[], Awaitable[Any]], interval_s: float) -> None:
        self._ask = ask
        self._interval_s = interval_s
        self._asking = asyncio.Lock()
        self._asked_at_s = -math.inf
        self._answer: Any = None
        self._error: GlossaError | None = None

    async def __call__(self) -> Any:
        async with self._asking:
            if time.monotonic() - self._asked_at_s >= self._interval_s:
                try:
                    self._answer, self._error = await self._ask(), None
                except GlossaError as error:
                    self._error = error
                self._asked_at_s = time.monotonic()
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._answer


def _too_many_operators() -> Overloaded:
    return Overloaded(
        "TOO_MANY_OPERATORS",
        f"{_OPERATORS_LIMIT} operator pages are open already; close one that nobody looks at",
        retry_after_s=5.0,
    )
