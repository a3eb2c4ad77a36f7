"""What an operator is shown: the gateway's status, the supervisor's states, health by name."""

from __future__ import annotations

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.chaos.stage import Stage
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.channels import open_channel

QUEUE = "glossa.collector.v1.Queue"
_TIMEOUT_S = 2.0
_PREFIX = "ENGINE_STATE_"


async def engine_state(stage: Stage, name: str) -> str:
    """How GetStatus has an engine ("SERVING", "UNREACHABLE", ...); "" while nobody answers."""
    answer = await _status(stage)
    states = {engine.name: engine.state for engine in answer.engines}
    return gateway_pb2.EngineState.Name(states[name]).removeprefix(_PREFIX) if states else ""


async def warnings(stage: Stage) -> set[str]:
    """The reasons of what GetStatus warns of; none while nobody answers."""
    return {warning.reason for warning in (await _status(stage)).warnings}


def service_state(stage: Stage, name: str) -> str:
    """How the supervisor has a service, as stack.json says it: "ready", "silent", ..."""
    return stage.supervisor.states[name].state


async def _status(stage: Stage) -> gateway_pb2.GetStatusResponse:
    async with open_channel(stage.address("gateway")) as channel:
        try:
            return await gateway_pb2_grpc.GatewayServiceStub(channel).GetStatus(
                gateway_pb2.GetStatusRequest(), timeout=_TIMEOUT_S
            )
        except grpc.aio.AioRpcError:
            return gateway_pb2.GetStatusResponse()


async def is_healthy(stage: Stage, service: str, name: str) -> bool:
    """Whether a service's health under a name is SERVING."""
    async with open_channel(stage.address(service)) as channel:
        try:
            answer = await health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(service=name), timeout=_TIMEOUT_S
            )
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
