"""The port of a service with pages: plain or TLS, and only so many connections of one host."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from typing import cast

import structlog
from aiohttp import web

from services.connection_gate import ConnectionGate, GatedProtocol
from services.errors import Overloaded, Unavailable
from services.web import error_body

log = structlog.get_logger()

CONNECTIONS_PER_HOST = 256
# Longer than a WebSocket waits for the answer to its close: aiohttp trips over both at once.
_SHUTDOWN_TIMEOUT_S = 2.0
# For the next request to come, whole but for its body: who sends none holds an open file. Longer
# than proxies keep an idle connection, 60 s by default.
_REQUEST_TIMEOUT_S = 75.0
# Not asyncio's 60 s. Some thousand phones that come back at once take seconds.
_HANDSHAKE_TIMEOUT_S = 20.0
_RETRY_AFTER_S = 5
# Accepted before others have a turn.
_BATCH = 100
# Without a file descriptor left, a port that is asked at once again would ask without end.
_NO_ROOM_PAUSE_S = 1.0


@contextlib.asynccontextmanager
async def listening(
    app: web.Application,
    host: str,
    port: int,
    tls: ssl.SSLContext | None = None,
    backlog: int = 128,
    connections_per_host: int = CONNECTIONS_PER_HOST,
) -> AsyncIterator[None]:
    """Listens while entered, for HTTPS alone with `tls`. Raises Unavailable: PORT_TAKEN.

    Args:
        backlog: connections that may wait to be accepted.
        connections_per_host: at once; further ones of the same IP address are answered with 429,
            and with `tls` closed: an answer would need the handshake.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=_SHUTDOWN_TIMEOUT_S,
        keepalive_timeout=_REQUEST_TIMEOUT_S,
        auto_decompress=False,  # nobody here sends what is compressed
    )
    await runner.setup()
    try:
        try:
            listeners = await _bound(host, port, backlog)
        except OSError as error:
            raise Unavailable(
                "PORT_TAKEN",
                f"port {port} on {host} is taken; stop what uses it or choose another",
                port=port,
            ) from error
        door = _Door(cast(Callable[[], asyncio.Protocol], runner.server), tls, connections_per_host)
        try:
            for listener in listeners:
                door.open(listener)
            yield
        finally:
            await door.close(listeners)
    finally:
        await runner.cleanup()


async def _bound(host: str, port: int, backlog: int) -> list[socket.socket]:
    """A socket for each address of a host. Raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    with contextlib.ExitStack() as unless_all_are_bound:
        listeners = []
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                listener = socket.create_server(address, family=family, backlog=backlog)
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT and len(found) > 1:  # a kernel without IPv6
                    continue
                raise
            unless_all_are_bound.callback(listener.close)
            listener.setblocking(False)
            listeners.append(listener)
        unless_all_are_bound.pop_all()
    return listeners


class _Door:
    """Accepts connections, counts them, and gives a protocol to each that is let in.

    Not the event loop's own server, which tells of a TLS connection only once it has shaken hands.
    """

    def __init__(
        self,
        make_protocol: Callable[[], asyncio.Protocol],
        tls: ssl.SSLContext | None,
        per_host: int,
    ) -> None:
        self._make_protocol = make_protocol
        self._tls = tls
        self._gate = ConnectionGate(per_host)
        self._beginnings: set[asyncio.Task[None]] = set()
        error = Overloaded(
            "TOO_MANY_CONNECTIONS",
            f"{per_host} connections from this address are open, which is the limit; "
            "close one first",
            retry_after_s=_RETRY_AFTER_S,
            limit=per_host,
        )
        body = json.dumps(error_body(error))
        self._refusal = (
            "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n"
            f"Retry-After: {_RETRY_AFTER_S}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def open(self, listener: socket.socket) -> None:
        if listener.fileno() >= 0:  # it may have been closed during the pause
            asyncio.get_running_loop().add_reader(listener, self._accept_waiting, listener)

    async def close(self, listeners: Iterable[socket.socket]) -> None:
        for listener in listeners:
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        for task in self._beginnings:
            task.cancel()
        await asyncio.gather(*self._beginnings, return_exceptions=True)

    def _accept_waiting(self, listener: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                accepted, address = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                log.error("connections_not_accepted", message=str(error))
                loop = asyncio.get_running_loop()
                loop.remove_reader(listener)
                loop.call_later(_NO_ROOM_PAUSE_S, self.open, listener)
                return
            leave = self._gate.enter(address[0])
            if leave is None:
                self._refuse(accepted, address[0])
                continue
            task = asyncio.create_task(self._begin(accepted, leave))
            self._beginnings.add(task)
            task.add_done_callback(self._beginnings.discard)

    def _refuse(self, accepted: socket.socket, address: str) -> None:
        log.debug("connection_refused", host=address)
        with accepted, contextlib.suppress(OSError):
            accepted.setblocking(False)
            if self._tls is None:
                accepted.send(self._refusal)

    async def _begin(self, accepted: socket.socket, leave: Callable[[], None]) -> None:
        """Shakes hands where that is wanted, in time or not at all."""
        try:
            accepted.setblocking(False)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: GatedProtocol(self._make_protocol(), leave),
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _HANDSHAKE_TIMEOUT_S,
            )
        except BaseException as error:
            # No protocol was told of it.
            leave()
            accepted.close()
            if isinstance(error, OSError):
                log.debug("connection_failed", message=str(error))
            elif isinstance(error, Exception):
                log.exception("connection_failed")
            else:
                raise
