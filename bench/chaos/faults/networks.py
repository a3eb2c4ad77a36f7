"""A bad network between the gateway and its engines: slow and lossy, then cut."""

from __future__ import annotations

from bench.chaos.faults.freezes import BACK_WITHIN_S, NOTICED_WITHIN_S
from bench.chaos.operator import engine_state
from bench.chaos.proxy import FAIR, Weather
from bench.chaos.stage import Scene

STORM = Weather(latency_s=0.15, loss=0.05, reset=0.002)  # 300 ms there and back
_STORM_S = 10.0


async def storm(scene: Scene) -> None:
    """300 ms of round trip, 5 % of loss, and resets."""
    proxies = scene.stage.proxies.values()
    scene.times += 1
    for proxy in proxies:
        proxy.weather = STORM
    try:
        await scene.speak_on(_STORM_S, _STORM_S)
    finally:
        for proxy in proxies:
            proxy.weather = FAIR


async def partition(scene: Scene) -> None:
    """Nothing goes through to any engine until that is noticed; nobody is told."""
    stage = scene.stage

    async def are_away() -> bool:
        return all([await engine_state(stage, name) == "UNREACHABLE" for name in stage.proxies])

    async def are_back() -> bool:
        return all([await engine_state(stage, name) == "SERVING" for name in stage.proxies])

    scene.times += 1
    for proxy in stage.proxies.values():
        proxy.cut()
    try:
        await scene.notice(are_away, "the partition", NOTICED_WITHIN_S)
        await scene.speak_on(3.0, 5.0)
    finally:
        for proxy in stage.proxies.values():
            proxy.mend()
    await scene.recover(are_back, "engines back after the partition", BACK_WITHIN_S)
