"""The HTTP port for operators: /healthz, /readyz and /metrics, answered for a stuck loop too."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import socketserver
import ssl
import threading
import time
import wsgiref.simple_server
from collections.abc import Callable, Iterable
from typing import Any

import prometheus_client

from services.bounded_threads import BoundedThreadingMixIn
from services.conditions import Conditions
from services.errors import Unavailable
from services.settings import ServiceSettings
from services.tls_listening import https_context

HEARTBEAT_INTERVAL_S = 0.25
# A loop that has not turned for this long is stuck: gRPC's C core still answers pings then, so
# nothing else would tell.
HEARTBEAT_STALE_S = 3.0

LOOP_LAG_SECONDS = prometheus_client.Gauge(
    "glossa_event_loop_lag_seconds", "How late the event loop's last heartbeat was."
)
HEARTBEAT_AGE_SECONDS = prometheus_client.Gauge(
    "glossa_event_loop_heartbeat_age_seconds",
    "Since the event loop's last heartbeat; a loop that is stuck is older than 3 s.",
)


class Heartbeat:
    """Proof that the event loop turns; read from the operators' HTTP thread."""

    def __init__(self) -> None:
        self.ready = False
        self._last_beat = time.monotonic()

    async def beat(self) -> None:
        while True:
            due = time.monotonic() + HEARTBEAT_INTERVAL_S
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
            self._last_beat = time.monotonic()
            LOOP_LAG_SECONDS.set(max(0.0, self._last_beat - due))

    def age_s(self) -> float:
        return time.monotonic() - self._last_beat


class _OperatorHttpServer(BoundedThreadingMixIn, wsgiref.simple_server.WSGIServer):
    tls: ssl.SSLContext | None = None

    def server_bind(self) -> None:
        """Binds without asking DNS for this machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; the handshake is its own thread's, so a slow one keeps nobody."""
        connection, peer = super().get_request()
        if self.tls is not None:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, peer


class _QuietHandler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = 10  # a peer that sends nothing does not keep a thread

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not worth a line each."""


@contextlib.contextmanager
def operator_http(
    name: str, settings: ServiceSettings, heartbeat: Heartbeat, conditions: Conditions
) -> Any:
    """Serves /healthz, /readyz and /metrics from a thread: they answer for a stuck loop too.

    Args:
        name: whose certificate is shown, when there are certificates.
    """
    metrics_app = prometheus_client.make_wsgi_app()
    HEARTBEAT_AGE_SECONDS.set_function(heartbeat.age_s)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            metrics: Iterable[bytes] = metrics_app(environ, start_response)
            return metrics
        stuck = heartbeat.age_s() > HEARTBEAT_STALE_S
        if path == "/healthz":
            status, text = ("503 stuck", "event loop stuck") if stuck else ("200 OK", "ok")
        elif path == "/readyz":
            ready = heartbeat.ready and not stuck
            text = "event loop stuck" if stuck else "not ready"
            if ready:
                text = "\n".join(("ready", *conditions.lines()))
            status = "200 OK" if ready else "503 not ready"
        else:
            status, text = "404 Not Found", "try /healthz, /readyz or /metrics"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{text}\n".encode()]

    try:
        httpd = wsgiref.simple_server.make_server(
            settings.host,
            settings.http_port,
            answer,
            server_class=_OperatorHttpServer,
            handler_class=_QuietHandler,
        )
    except OSError as error:
        raise cannot_listen(settings.host, settings.http_port, error) from error
    if settings.certificates_dir is not None:
        httpd.tls = https_context(settings.certificates_dir, name)
    thread = threading.Thread(target=httpd.serve_forever, name="operator-http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        httpd.shutdown()
        httpd.server_close()


def cannot_listen(host: str, port: int, error: Exception) -> Unavailable:
    """Why a port could not be had, as an error that says what to do."""
    if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
        return Unavailable(
            "CANNOT_LISTEN", f"cannot listen on port {port} of {host}: {error.strerror}", port=port
        )
    return Unavailable(
        "PORT_TAKEN",
        f"port {port} on {host} is taken; stop what uses it or choose another",
        port=port,
    )
