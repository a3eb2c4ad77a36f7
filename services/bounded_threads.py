"""A thread a connection, and only so many: who holds connections open locks nobody else out."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import sys
import threading
from typing import Any

import structlog

log = structlog.get_logger()

THREADS_LIMIT = 32


class BoundedThreadingMixIn(socketserver.ThreadingMixIn):
    """Beyond THREADS_LIMIT the oldest connection is cut for the newest.

    A request is answered in milliseconds, so the oldest is one that does not come to its end,
    however often it sends a byte.
    """

    daemon_threads = True
    request_queue_size = 128  # while the newest connections wait for a thread to be cut

    def __init__(self, *args: Any, **named: Any) -> None:
        self._changing = threading.Lock()
        self._open: dict[socket.socket, None] = {}  # the oldest first
        super().__init__(*args, **named)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changing:
            if len(self._open) >= THREADS_LIMIT:
                oldest = next(iter(self._open))
                del self._open[oldest]
                with contextlib.suppress(OSError):  # it has just ended by itself
                    # Of the TCP socket: a TLS one would first have to be read to its end.
                    socket.socket.shutdown(oldest, socket.SHUT_RDWR)
            self._open[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._changing:
            self._open.pop(request, None)
        super().shutdown_request(request)  # type: ignore[misc]  # of the server that this is mixed into

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that were cut, or end amid a request, are not worth a traceback."""
        if isinstance(sys.exception(), OSError):
            log.debug("operator_connection_broken", peer=str(client_address))
        else:
            log.exception("operator_request_failed", peer=str(client_address))
