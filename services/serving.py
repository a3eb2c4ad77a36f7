"""Runs a service: gRPC server, health, HTTP port for operators, metrics, signals, drain.

A service hands an App to `run`. The order is fixed: listen with health NOT_SERVING, enter
`app.running()` (engines load and warm up there), turn SERVING, wait for SIGTERM or SIGINT, turn
NOT_SERVING, `app.drain()`, stop the server, leave `app.running()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import faulthandler
import signal
import socket
import socketserver
import threading
import time
import wsgiref.simple_server
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import grpc
import prometheus_client
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services import logs
from services.errors import GlossaError, Unavailable, abort
from services.settings import ServiceSettings

log = structlog.get_logger()

# Without these a peer buffers minutes of PCM before write() blocks and a frozen peer goes unnoticed
# for a minute: the bandwidth probe grows HTTP/2 windows without limit, and keepalive alone has no
# short timeout.
_FLOW_CONTROL_OPTIONS = [
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 16 * 1024),
    ("grpc.http2.write_buffer_size", 16 * 1024),
]
CHANNEL_OPTIONS: list[tuple[str, int]] = [
    *_FLOW_CONTROL_OPTIONS,
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]
MAX_MESSAGE_BYTES = 1024 * 1024
SERVER_OPTIONS: list[tuple[str, int]] = [
    *_FLOW_CONTROL_OPTIONS,
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
]

HEARTBEAT_INTERVAL_S = 0.25
# A loop that has not turned for this long is stuck: gRPC's C core still answers pings then, so
# nothing else would tell.
HEARTBEAT_STALE_S = 3.0

RPC_SECONDS = prometheus_client.Histogram(
    "glossa_rpc_duration_seconds",
    "Duration of RPCs by method and status code; for streams, their whole life.",
    ["method", "code"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60, 600, 3600),
)
RPCS_OPEN = prometheus_client.Gauge("glossa_rpcs_open", "RPCs being served now.", ["method"])
LOOP_LAG_SECONDS = prometheus_client.Gauge(
    "glossa_event_loop_lag_seconds", "How late the event loop's last heartbeat was."
)


class App(Protocol):
    """What a service is to `run`."""

    name: str

    @property
    def service_names(self) -> tuple[str, ...]:
        """Full gRPC names, for health and reflection."""

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the servicers."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Loads and warms what is needed, owns the background tasks, releases all on exit."""

    async def drain(self) -> None:
        """Ends open streams in good order; unary calls are waited for by the server."""


class Conditions:
    """What a service says of its surroundings, beside being up: health names of their own.

    A collector whose Redis is away serves: it answers, waits, and /readyz is 200. Whoever watches
    the surroundings finds NOT_SERVING under their name, and the reasons in the text of /readyz.

    Args:
        names: of the conditions, full gRPC names; each begins as not looked at.
    """

    def __init__(self, *names: str) -> None:
        self._warnings: dict[str, tuple[str, ...]] = dict.fromkeys(names, ("not looked at yet",))
        self._servicer: health.aio.HealthServicer | None = None

    async def attach(self, servicer: health.aio.HealthServicer) -> None:
        """From now on this health servicer tells."""
        self._servicer = servicer
        for name in self._warnings:
            await self._tell(name)

    async def set(self, name: str, warnings: Iterable[str]) -> None:
        """Sets what is wrong under a name; nothing is wrong without a warning."""
        self._warnings[name] = tuple(warnings)
        await self._tell(name)

    def lines(self) -> list[str]:
        """A line a warning; may be called from another thread."""
        conditions = list(self._warnings.items())
        return [f"warning: {name}: {text}" for name, texts in conditions for text in texts]

    async def _tell(self, name: str) -> None:
        if self._servicer is not None:
            await self._servicer.set(name, _status(serving=not self._warnings[name]))


def run(
    app: App,
    settings: ServiceSettings,
    conditions: Conditions | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT. Exits with 1 and one clear line when the start fails."""
    faulthandler.enable()
    logs.configure(app.name, settings.log_level, settings.log_format)
    failures: list[BaseException] = []
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_serve(app, settings, conditions or Conditions()))
    except* GlossaError as group:
        failures.extend(_leaves(group))
    # Out here: what is raised in the clause above is wrapped into a group, and shows a traceback.
    for failure in failures:
        log.error("stopped", reason=getattr(failure, "reason", ""), message=str(failure))
    if failures:
        raise SystemExit(1)


async def _serve(app: App, settings: ServiceSettings, conditions: Conditions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)

    server = grpc.aio.server(interceptors=[_Interceptor()], options=SERVER_OPTIONS)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    # The servicer starts with "" SERVING: a caller would come before the engine is warm.
    await _set_health(health_servicer, app, serving=False)
    await conditions.attach(health_servicer)
    app.register(server)
    if settings.reflection:
        reflection.enable_server_reflection(
            (*app.service_names, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
    _listen(server, settings)
    heartbeat = Heartbeat()
    heartbeat_task = asyncio.create_task(heartbeat.beat())
    with _operator_http(settings, heartbeat, conditions):
        await server.start()
        log.info("listening", grpc_port=settings.grpc_port, http_port=settings.http_port)
        started_at = time.monotonic()
        running = asyncio.create_task(_run_app(app, health_servicer, heartbeat, stop, started_at))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            heartbeat.ready = False
            await _set_health(health_servicer, app, serving=False)
            if stop.is_set():
                log.info("draining", drain_timeout_s=settings.drain_timeout_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(settings.drain_timeout_s):
                        await app.drain()
            await server.stop(settings.drain_timeout_s if stop.is_set() else 0)
            if not running.done():
                running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running
        finally:
            stopping.cancel()
            heartbeat_task.cancel()
    log.info("stopped")


async def _run_app(
    app: App,
    health_servicer: health.aio.HealthServicer,
    heartbeat: Heartbeat,
    stop: asyncio.Event,
    started_at: float,
) -> None:
    async with app.running():
        if not stop.is_set():
            await _set_health(health_servicer, app, serving=True)
            heartbeat.ready = True
            log.info("serving", start_s=round(time.monotonic() - started_at, 2))
        await asyncio.Event().wait()  # until cancelled, or until a background task of the app fails


def _listen(server: grpc.aio.Server, settings: ServiceSettings) -> None:
    try:
        # gRPC would tell of a taken port in a line of its own, past our log. This asks first, with
        # SO_REUSEADDR as gRPC does: connections that are winding up do not take a port.
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.create_server((settings.host, settings.grpc_port), family=family):
            pass
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        server.add_insecure_port(f"{host}:{settings.grpc_port}")
    except (OSError, RuntimeError) as error:
        raise _cannot_listen(settings.host, settings.grpc_port, error) from error


def _cannot_listen(host: str, port: int, error: Exception) -> Unavailable:
    if isinstance(error, OSError) and error.errno != errno.EADDRINUSE:
        return Unavailable(
            "CANNOT_LISTEN", f"cannot listen on port {port} of {host}: {error.strerror}", port=port
        )
    return Unavailable(
        "PORT_TAKEN",
        f"port {port} on {host} is taken; stop what uses it or choose another",
        port=port,
    )


async def _set_health(servicer: health.aio.HealthServicer, app: App, *, serving: bool) -> None:
    for name in ("", *app.service_names):
        await servicer.set(name, _status(serving=serving))


def _status(*, serving: bool) -> Any:
    return health_pb2.HealthCheckResponse.ServingStatus.Value(
        "SERVING" if serving else "NOT_SERVING"
    )


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


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


class _OperatorHttpServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Binds without asking DNS for this machine's name, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _QuietHandler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = 10  # a peer that sends nothing does not keep a thread

    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not worth a line each."""


@contextlib.contextmanager
def _operator_http(settings: ServiceSettings, heartbeat: Heartbeat, conditions: Conditions) -> Any:
    """Serves /healthz, /readyz and /metrics from a thread: they answer for a stuck loop too."""
    metrics_app = prometheus_client.make_wsgi_app()

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
        raise _cannot_listen(settings.host, settings.http_port, error) from error
    thread = threading.Thread(target=httpd.serve_forever, name="operator-http", daemon=True)
    thread.start()
    try:
        yield
    finally:
        httpd.shutdown()
        httpd.server_close()


class _Interceptor(grpc.aio.ServerInterceptor):
    """Turns GlossaError into a status, counts and times every RPC, and logs one line for each."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler:
        handler = await continuation(details)
        if handler is None or details.method.startswith("/grpc."):
            return handler
        method = details.method
        if handler.response_streaming:
            inner_stream = handler.unary_stream or handler.stream_stream

            async def stream(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
                async with _observed(method, context):
                    responses = inner_stream(request, context)
                    try:
                        async for response in responses:
                            yield response
                    finally:
                        await responses.aclose()

            factory = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return factory(stream, handler.request_deserializer, handler.response_serializer)
        inner_unary = handler.unary_unary or handler.stream_unary

        async def unary(request: Any, context: grpc.aio.ServicerContext) -> Any:
            async with _observed(method, context):
                return await inner_unary(request, context)

        factory = (
            grpc.stream_unary_rpc_method_handler
            if handler.request_streaming
            else grpc.unary_unary_rpc_method_handler
        )
        return factory(unary, handler.request_deserializer, handler.response_serializer)


@contextlib.asynccontextmanager
async def _observed(method: str, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
    short_name = method.rsplit(".", 1)[-1]
    started_at = time.monotonic()
    code, reason = "OK", ""
    RPCS_OPEN.labels(short_name).inc()
    try:
        yield
    except GlossaError as error:
        code, reason = error.code.name, error.reason
        await abort(context, error)
    except (asyncio.CancelledError, GeneratorExit):
        code = "CANCELLED"
        raise
    except grpc.aio.AbortError:
        code = "ABORTED"
        raise
    except Exception:
        code = "UNKNOWN"
        log.exception("rpc_failed", method=short_name)
        raise
    finally:
        duration_s = time.monotonic() - started_at
        RPCS_OPEN.labels(short_name).dec()
        RPC_SECONDS.labels(short_name, code).observe(duration_s)
        level = log.debug if code == "OK" and duration_s < 1 else log.info
        level("rpc", method=short_name, code=code, reason=reason, ms=round(duration_s * 1000, 1))
