"""Runs a service: gRPC server, health, HTTP port for operators, metrics, signals, drain.

A service hands an App to `run`. The order is fixed: listen with health NOT_SERVING, enter
`app.running()` (engines load and warm up there), turn SERVING, wait for SIGTERM or SIGINT, turn
NOT_SERVING, `app.drain()`, stop the server, leave `app.running()`.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import signal
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services import logs, traces
from services.access import Access
from services.callers import KnownCallers
from services.channels import PEER_OPTIONS, Identity, identify
from services.conditions import Conditions, health_status
from services.errors import GlossaError
from services.operator_http import Heartbeat, cannot_listen, operator_http
from services.rpc_limits import RpcLimits
from services.rpc_log import RpcLog
from services.settings import ServiceSettings, is_loopback
from services.tls_listening import grpc_credentials
from services.tokens import TokenBook

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 1024 * 1024
MAX_METADATA_BYTES = 16 * 1024  # as HTTP/2 counts them, 32 for each entry included
SERVER_OPTIONS: list[tuple[str, int]] = [
    *PEER_OPTIONS,
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    # The same twice: between the two gRPC refuses some calls at random and takes the others.
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", MAX_METADATA_BYTES),
    # Connections that never become one of HTTP/2, have no call, or whose other end is gone.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 60_000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
]
# Of one connection more than of its host, so that who opens one too many is told.
_CALLS_BEYOND_LIMIT = 16
# Spans that were not sent by then are lost.
_TRACES_CLOSE_TIMEOUT_S = 2.0


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


def run(
    app: App,
    settings: ServiceSettings,
    conditions: Conditions | None = None,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT. Exits with 1 and one clear line when the start fails."""
    faulthandler.enable()
    logs.configure(app.name, settings.log_level, settings.log_format)
    traces.configure(app.name, settings.traces_endpoint)
    failures: list[BaseException] = []
    try:
        identify(_identity(app.name, settings))
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(_serve(app, settings, conditions or Conditions()))
    except* GlossaError as group:
        failures.extend(_leaves(group))
    finally:
        traces.close(_TRACES_CLOSE_TIMEOUT_S)
    # Out here: what is raised in the clause above is wrapped into a group, and shows a traceback.
    for failure in failures:
        log.error("stopped", reason=getattr(failure, "reason", ""), message=str(failure))
    if failures:
        raise SystemExit(1)


def _identity(name: str, settings: ServiceSettings) -> Identity:
    return Identity(settings.certificates_dir, name, settings.token.get_secret_value())


async def _serve(app: App, settings: ServiceSettings, conditions: Conditions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, stop.set)

    book = TokenBook(settings.tokens_file, settings.plain_tokens, settings.open_roles)
    server = grpc.aio.server(
        interceptors=[
            RpcLog(),
            *_caller_check(settings),
            Access(book, is_trusted=settings.is_trusted),
            RpcLimits(settings.calls_per_host, settings.first_message_timeout_s),
        ],
        options=[
            *SERVER_OPTIONS,
            ("grpc.max_allowed_incoming_connections", settings.connection_limit),
            ("grpc.max_concurrent_streams", settings.calls_per_host + _CALLS_BEYOND_LIMIT),
            *_age_limit(settings),
        ],
    )
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
    _listen(server, app.name, settings)
    heartbeat = Heartbeat()
    heartbeat_task = asyncio.create_task(heartbeat.beat())
    with operator_http(app.name, settings, heartbeat, conditions):
        await server.start()
        _say_where(settings)
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


def _caller_check(settings: ServiceSettings) -> tuple[grpc.aio.ServerInterceptor, ...]:
    if settings.certificates_dir is None or not settings.callers:
        return ()
    return (KnownCallers(settings.callers),)


def _age_limit(settings: ServiceSettings) -> tuple[tuple[str, int], ...]:
    """Calls that are open go on to their end on an old connection; new ones make a new one."""
    if not settings.connection_age_s:
        return ()
    return (("grpc.max_connection_age_ms", round(settings.connection_age_s * 1000)),)


def _say_where(settings: ServiceSettings) -> None:
    is_encrypted = settings.certificates_dir is not None
    log.info(
        "listening",
        grpc_port=settings.grpc_port,
        http_port=settings.http_port,
        tls=is_encrypted,
    )
    if not is_encrypted and not is_loopback(settings.host):
        log.warning(
            "not_encrypted",
            host=settings.host,
            message="whoever is on this network can read and change what is said; "
            "GLOSSA_CERTIFICATES_DIR encrypts it",
        )


def _listen(server: grpc.aio.Server, name: str, settings: ServiceSettings) -> None:
    try:
        # gRPC would tell of a taken port in a line of its own, past our log. This asks first, with
        # SO_REUSEADDR as gRPC does: connections that are winding up do not take a port.
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        with socket.create_server((settings.host, settings.grpc_port), family=family):
            pass
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        address = f"{host}:{settings.grpc_port}"
        if settings.certificates_dir is None:
            server.add_insecure_port(address)
        else:
            credentials = grpc_credentials(
                settings.certificates_dir, name, requires_client=bool(settings.callers)
            )
            server.add_secure_port(address, credentials)
    except (OSError, RuntimeError) as error:
        raise cannot_listen(settings.host, settings.grpc_port, error) from error


async def _set_health(servicer: health.aio.HealthServicer, app: App, *, serving: bool) -> None:
    for name in ("", *app.service_names):
        await servicer.set(name, health_status(serving=serving))


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
