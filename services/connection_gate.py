"""How many connections of one host a port takes: who holds all of them open locks others out."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable

import structlog

from services.peer_address import host

log = structlog.get_logger()

_RETRY_AFTER_S = 5


class ConnectionGate:
    """Makes the protocol of each connection of an HTTP port; what is too much gets a 429.

    Connections are counted before a request is read of them, so that those that never send one
    count like others; over TLS, from the end of the handshake on.

    Args:
        make_protocol: of a connection that is let in.
        per_host: connections at once.
    """

    def __init__(self, make_protocol: Callable[[], asyncio.Protocol], per_host: int) -> None:
        self._make_protocol = make_protocol
        self._per_host = per_host
        self._open: Counter[str] = Counter()
        body = json.dumps(
            {
                "error": {
                    "reason": "TOO_MANY_CONNECTIONS",
                    "message": f"{per_host} connections from this address are open, which is the "
                    "limit; close one first",
                    "metadata": {"limit": str(per_host)},
                }
            }
        )
        self._refusal = (
            "HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n"
            f"Retry-After: {_RETRY_AFTER_S}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def __call__(self) -> asyncio.Protocol:
        return _Connection(self)

    def enter(self, transport: asyncio.Transport) -> tuple[str, asyncio.Protocol] | None:
        """Whose connection it is, and what serves it; None when it was turned away."""
        peer = transport.get_extra_info("peername")
        whose = host(peer[0]) if peer else ""
        if self._open[whose] >= self._per_host:
            log.debug("connection_refused", host=whose)
            transport.write(self._refusal)
            transport.close()
            return None
        self._open[whose] += 1
        return whose, self._make_protocol()

    def leave(self, whose: str) -> None:
        self._open[whose] -= 1
        if not self._open[whose]:
            del self._open[whose]


class _Connection(asyncio.Protocol):
    """Passes everything on to the protocol behind the gate, if it was let in."""

    def __init__(self, gate: ConnectionGate) -> None:
        self._gate = gate
        self._whose = ""
        self._inner: asyncio.Protocol = asyncio.Protocol()  # does nothing
        self._was_let_in = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        entered = self._gate.enter(transport)  # type: ignore[arg-type]  # of TCP
        if entered is not None:
            self._was_let_in = True
            self._whose, self._inner = entered
            self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._was_let_in:
            self._gate.leave(self._whose)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
