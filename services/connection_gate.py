"""How many connections of one host a port takes: who holds all of them open locks others out."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from services.peer_address import host


class ConnectionGate:
    """Counts the connections of each host.

    Args:
        per_host: connections at once.
    """

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> Callable[[], None] | None:
        """What to call, once or more often, when the connection has ended; None: it may not come
        in."""
        whose = host(address)
        if self._open[whose] >= self._per_host:
            return None
        self._open[whose] += 1
        is_in = True

        def leave() -> None:
            nonlocal is_in
            if is_in:
                is_in = False
                self._open[whose] -= 1
                if not self._open[whose]:
                    del self._open[whose]

        return leave


class GatedProtocol(asyncio.Protocol):
    """Passes everything on to `inner`, and calls `leave` when the connection is lost."""

    def __init__(self, inner: asyncio.Protocol, leave: Callable[[], None]) -> None:
        self._inner = inner
        self._leave = leave

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()
