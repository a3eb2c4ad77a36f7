"""Watches the services that the gateway calls: operators see who is away before it hurts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.gateway.degradation import Degradation

# An engine that freezes is noticed after both together, at the latest.
_INTERVAL_S = 1.0
_TIMEOUT_S = 2.0
_MOST_INTERVAL_S = 3.0  # of one that is away: it is found back this soon
_MODEL_INTERVAL_S = 10.0  # a model that was replaced is named this soon
# Health names that say whether an engine serves as it was asked to; one without such a name does.
_CONDITIONS = {"mt": "glossa.mt.v1.final"}
_DEGRADED_DETAIL = (
    "its final model failed and rests, the draft model writes finals; the final one is tried again "
    "by itself, and mt's log says what it failed of"
)


@dataclass(frozen=True)
class Peer:
    """A service that the gateway calls."""

    address: str
    channel: grpc.aio.Channel


class Engines:
    """Asks each peer for its health and model until cancelled; `statuses` answers from memory."""

    def __init__(self, peers: Mapping[str, Peer], degradation: Degradation) -> None:
        self._peers = peers
        self._degradation = degradation
        self._statuses = {
            name: gateway_pb2.EngineStatus(name=name, detail="not looked at yet") for name in peers
        }

    def statuses(self) -> list[gateway_pb2.EngineStatus]:
        """How each is, in the order of the peers."""
        return list(self._statuses.values())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for name, peer in self._peers.items():
                tasks.create_task(self._watch(name, peer))

    async def _watch(self, name: str, peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        interval_s, model, model_due_at = _INTERVAL_S, "", 0.0
        while True:
            state, detail = await _health(peer)
            if state == gateway_pb2.ENGINE_STATE_SERVING:
                if not await _is_as_asked(peer, _CONDITIONS.get(name, "")):
                    state, detail = gateway_pb2.ENGINE_STATE_DEGRADED, _DEGRADED_DETAIL
                if loop.time() >= model_due_at:
                    model = await _model(peer) or model
                    model_due_at = loop.time() + _MODEL_INTERVAL_S
            else:
                model_due_at = 0.0
            self._statuses[name] = gateway_pb2.EngineStatus(
                name=name, state=state, detail=detail, model=model
            )
            self._degradation.note(self._statuses[name])
            is_away = state == gateway_pb2.ENGINE_STATE_UNREACHABLE
            interval_s = min(2 * interval_s, _MOST_INTERVAL_S) if is_away else _INTERVAL_S
            await asyncio.sleep(interval_s)


async def _health(peer: Peer) -> tuple[gateway_pb2.EngineState, str]:
    try:
        answer = await health_pb2_grpc.HealthStub(peer.channel).Check(
            health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S
        )
    except grpc.aio.AioRpcError as error:
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return (
                gateway_pb2.ENGINE_STATE_UNREACHABLE,
                f"{peer.address} has not answered for {_TIMEOUT_S:g} s: it is stuck or overloaded",
            )
        return (
            gateway_pb2.ENGINE_STATE_UNREACHABLE,
            f"nothing answers at {peer.address}: it is not running, or runs elsewhere",
        )
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return gateway_pb2.ENGINE_STATE_SERVING, ""
    return (
        gateway_pb2.ENGINE_STATE_NOT_SERVING,
        "it answers and does not serve: it loads its model, or lost it",
    )


async def _is_as_asked(peer: Peer, condition: str) -> bool:
    """False when the peer says that the condition does not hold; "" is none."""
    if not condition:
        return True
    try:
        answer = await health_pb2_grpc.HealthStub(peer.channel).Check(
            health_pb2.HealthCheckRequest(service=condition), timeout=_TIMEOUT_S
        )
    except grpc.aio.AioRpcError:  # it knows no such name, or is gone, which is found out next
        return True
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _model(peer: Peer) -> str:
    """Engine and model by name; empty when it does not say."""
    try:
        answer = await models_pb2_grpc.ModelServiceStub(peer.channel).GetModel(
            models_pb2.GetModelRequest(), timeout=_TIMEOUT_S
        )
    except grpc.aio.AioRpcError:
        return ""
    return "/".join(part for part in (answer.engine, answer.model) if part)
