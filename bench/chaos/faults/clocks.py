"""The time of day jumps by an hour, forth and back: nothing that counts goes by it."""

from __future__ import annotations

from bench.chaos.rigs import set_clock
from bench.chaos.stage import Scene
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.channels import open_channel

_JUMPS_S = (3600, -3600, 0)
_SANE_LAG_MS = 60_000.0


async def jump(scene: Scene) -> None:
    """Forward, an hour before the truth, and back; then looks at the lags that are told."""
    clock = scene.stage.clock
    assert clock is not None  # this fault runs on the rig that has one
    for offset_s in _JUMPS_S:
        set_clock(clock, offset_s)
        scene.times += 1
        await scene.speak_on(5.0, 6.0)
    async with open_channel(scene.stage.address("gateway")) as channel:
        status = await gateway_pb2_grpc.GatewayServiceStub(channel).GetStatus(
            gateway_pb2.GetStatusRequest(), timeout=5
        )
    lags_ms = [lag.p95_ms for session in status.sessions for lag in session.lags]
    if not lags_ms or not all(0 <= lag_ms < _SANE_LAG_MS for lag_ms in lags_ms):
        scene.failures.append(f"lags are told that cannot be: {lags_ms} ms")
    else:
        scene.seen.append(f"the greatest lag that is told is {max(lags_ms) / 1000:.1f} s")
