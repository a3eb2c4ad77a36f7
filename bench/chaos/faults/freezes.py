"""SIGSTOP of services: whether the operator is shown it in time, and what SIGCONT leaves."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from bench.chaos.operator import engine_state, service_state
from bench.chaos.stage import Scene

SERVICES = ("stt", "mt", "qe", "captions", "collector", "gateway")
NOTICED_WITHIN_S = 5.0
BACK_WITHIN_S = 5.0
_ENGINES = ("stt", "mt", "qe")


async def freeze_each(scene: Scene, services: Sequence[str], times: int) -> None:
    """Freezes each service `times` times until it is noticed, and lets it go on."""
    victims = [service for service in services for _ in range(times)]
    scene.chance.shuffle(victims)
    for victim in victims:
        await scene.speak_on(0.5, 2.0)
        await freeze(scene, victim)


async def freeze(scene: Scene, victim: str) -> None:
    """Freezes one. Noticed is what GetStatus says of an engine, and the supervisor of the rest."""
    stage = scene.stage

    async def is_there() -> bool:
        if victim in _ENGINES:
            return await engine_state(stage, victim) == "SERVING"
        return service_state(stage, victim) == "ready"

    async def is_missed() -> bool:
        return not await is_there()

    pid = stage.pid(victim)
    os.kill(pid, signal.SIGSTOP)
    scene.times += 1
    try:
        await scene.notice(is_missed, f"{victim} frozen", NOTICED_WITHIN_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    await scene.recover(is_there, f"{victim} back", BACK_WITHIN_S)
