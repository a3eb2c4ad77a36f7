"""How a running stack is: its services, sessions, times, queues, viewers and errors.

`./glossa doctor` looks at a machine before Sunday; this looks at what runs, on this machine's
ports, whoever started it: `./glossa up` or containers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc

from cli.collector_client import STATS_TIMEOUT_S
from cli.metrics_page import Durations, MetricsPage
from cli.service_state import ServiceState, State, look_at
from cli.training_line import band_name
from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.certificates import client_context
from services.channels import current_identity, open_channel
from services.settings import PORT_BASE, SERVICES, port

_STATUS_TIMEOUT_S = 3.0
_SERVING = State.SERVING
_FINE_CODES = ("OK", "CANCELLED")  # CANCELLED: the caller has left


@dataclass(frozen=True)
class Pairs:
    """What the collector has.

    Args:
        by_band: pairs ever written, by band.
        queue_lengths: entries in Redis now, by band.
    """

    by_band: Mapping[str, int] = field(default_factory=dict)
    queue_lengths: Mapping[str, int] = field(default_factory=dict)
    open_review_count: int = 0
    risks: tuple[str, ...] = ()


@dataclass(frozen=True)
class StackStatus:
    """All of it.

    Args:
        stages: how long each step takes, by its name.
        queues: what waits, by its name.
        errors: calls that failed since each service began, by service and status code.
        troubles: a sentence each; empty when all is well.
    """

    services: tuple[ServiceState, ...]
    engines: tuple[gateway_pb2.EngineStatus, ...] = ()
    sessions: tuple[gateway_pb2.SessionStatus, ...] = ()
    pairs: Pairs = Pairs()
    stages: Mapping[str, Durations] = field(default_factory=dict)
    queues: Mapping[str, int] = field(default_factory=dict)
    viewers: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()

    @property
    def is_there(self) -> bool:
        """Whether anything answers at all."""
        return any(service.state is not State.AWAY for service in self.services)


async def look(description: Mapping[str, Any] | None) -> StackStatus:
    """Asks every service at once; takes a few seconds at most.

    Args:
        description: stack.json of a stack that runs; None: the usual ports of this machine.

    Raises:
        InvalidInput: the certificates or the token that calls are to bring cannot be read.
    """
    ports = (description or {}).get("ports") or {}
    names = (*SERVICES, *(("mt_alternative",) if "mt_alternative" in ports else ()))
    services = await _services({name: ports.get(f"{name}_http") for name in names})
    if not any(service.state is not State.AWAY for service in services):
        # That another program has a port is worth knowing where nothing of Glossa answers.
        return StackStatus(services, troubles=_warnings(services))
    base = (description or {}).get("port_base", PORT_BASE)
    (status, no_status), (pairs, no_pairs) = await asyncio.gather(
        _gateway(f"127.0.0.1:{port('gateway', base)}"),
        _collector(f"127.0.0.1:{port('collector', base)}"),
    )
    pages = {service.name: service.page for service in services}
    return StackStatus(
        services,
        tuple(status.engines),
        tuple(status.sessions),
        pairs,
        _stages(pages),
        _queues(pages),
        _whole(pages["captions"].by_label("glossa_captions_viewers", "transport")),
        _errors(pages),
        _troubles(services, status, pairs, {"gateway": no_status, "collector": no_pairs}),
    )


async def _services(http_ports: Mapping[str, int | None]) -> tuple[ServiceState, ...]:
    import aiohttp

    directory = current_identity().certificates_dir
    scheme = "http" if directory is None else "https"
    connector = aiohttp.TCPConnector(ssl=True if directory is None else client_context(directory))
    async with aiohttp.ClientSession(connector=connector) as http:
        return tuple(
            await asyncio.gather(
                *(
                    look_at(name, http, f"{scheme}://127.0.0.1:{number or port(f'{name}_http')}")
                    for name, number in http_ports.items()
                )
            )
        )


async def _gateway(address: str) -> tuple[gateway_pb2.GetStatusResponse, str]:
    async with open_channel(address) as channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        try:
            request = gateway_pb2.GetStatusRequest()
            return await stub.GetStatus(request, timeout=_STATUS_TIMEOUT_S), ""
        except grpc.aio.AioRpcError as error:
            return gateway_pb2.GetStatusResponse(), error.details() or error.code().name


async def _collector(address: str) -> tuple[Pairs, str]:
    async with open_channel(address) as channel:
        stub = collector_pb2_grpc.CollectorServiceStub(channel)
        try:
            stats = await stub.Stats(collector_pb2.StatsRequest(), timeout=STATS_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return Pairs(), error.details() or error.code().name
    return (
        Pairs(
            {band_name(count.band): count.pair_count for count in stats.counts},
            {band_name(count.band): count.queue_length for count in stats.counts},
            stats.open_review_count,
            tuple(stats.queue_risks),
        ),
        "",
    )


def _stages(pages: Mapping[str, MetricsPage]) -> dict[str, Durations]:
    steps = (
        ("stt", "glossa_stt_engine_seconds", "kind"),
        ("mt", "glossa_mt_engine_seconds", ""),
        ("qe", "glossa_qe_engine_seconds", "engine"),
        ("gateway", "glossa_gateway_lag_seconds", "stage"),
    )
    return {
        f"lag {key}" if service == "gateway" else f"{service} {key}".strip(): durations
        for service, name, label in steps
        for key, durations in pages[service].durations(name, label).items()
    }


def _queues(pages: Mapping[str, MetricsPage]) -> dict[str, int]:
    queues = (
        ("stt", "glossa_stt_queue_depth", "kind"),
        ("mt", "glossa_mt_queue_depth", "kind"),
        ("qe", "glossa_qe_queue_depth", "engine"),
        ("gateway", "glossa_gateway_owed", "stage"),
    )
    return {
        f"{'owed' if service == 'gateway' else service} {key}": int(depth)
        for service, name, label in queues
        for key, depth in pages[service].by_label(name, label).items()
    }


def _errors(pages: Mapping[str, MetricsPage]) -> dict[str, int]:
    return {
        f"{service} {code}": int(count)
        for service, page in pages.items()
        for code, count in page.by_label("glossa_rpc_duration_seconds_count", "code").items()
        if code not in _FINE_CODES
    }


def _whole(values: Mapping[str, float]) -> dict[str, int]:
    return {key: int(value) for key, value in values.items()}


def _warnings(services: tuple[ServiceState, ...]) -> tuple[str, ...]:
    return tuple(warning for each in services for warning in each.warnings)


def _troubles(
    services: tuple[ServiceState, ...],
    status: gateway_pb2.GetStatusResponse,
    pairs: Pairs,
    unanswered: Mapping[str, str],
) -> tuple[str, ...]:
    """Each thing once: what a service says of itself first, then what others say of it."""
    troubles = [f"{each.name} is {each.state}" for each in services if each.state is not _SERVING]
    troubles += _warnings(services)
    fine = {each.name for each in services if each.state is _SERVING and not each.warnings}
    troubles += [
        f"{name} does not say how it goes: {why}"
        for name, why in unanswered.items()
        if why and name in fine
    ]
    troubles += [
        f"{engine.name}: {engine.detail}"
        for engine in status.engines
        if engine.name in fine and engine.state != gateway_pb2.ENGINE_STATE_SERVING
    ]
    troubles += [warning.message for warning in status.warnings]
    return (*troubles, *(risk for risk in pairs.risks if "collector" in fine))
