"""kill -9 of services in the middle of a sermon, and of the gateway again and again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from bench.chaos.stage import TARGETS, Scene
from bench.chaos.verdict import Recovery

SERVICES = ("stt", "mt", "qe", "captions", "collector", "gateway")
BACK_WITHIN_S = 5.0
LOADED_WITHIN_S = 3.0  # beside the time that a model takes to load
_LOADS = ("stt", "mt", "qe")
# What shows that captions are back, by the service that was killed; qe and the collector make none.
_SHOWN_BY = {
    "stt": ("en",),
    "mt": TARGETS,
    "gateway": ("en", *TARGETS),
    "captions": ("en", *TARGETS),
}
# What was on its way when the service died is still shown.
_ON_ITS_WAY_S = 0.3


async def kill_each(scene: Scene, services: Sequence[str], times: int) -> None:
    """Kills each service `times` times, in an order and at moments of chance."""
    victims = [service for service in services for _ in range(times)]
    scene.chance.shuffle(victims)
    for victim in victims:
        await scene.speak_on(0.5, 3.0)
        await _kill(scene, victim)


async def kill_gateway_at_frames(scene: Scene, times: int) -> None:
    """Kills the gateway between any two frames, which are 100 ms long."""
    for _ in range(times):
        await scene.speak_on(0.1, 4.0)
        await _kill(scene, "gateway")


async def _kill(scene: Scene, victim: str) -> None:
    """Kills one; waits until another is ready and captions are back."""
    stage = scene.stage
    pid = stage.pid(victim)
    killed_at_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    scene.times += 1
    await stage.ready(victim, but_pid=pid)
    ready_s = time.monotonic() - killed_at_s
    limit_s = ready_s + LOADED_WITHIN_S if victim in _LOADS else BACK_WITHIN_S
    languages = _SHOWN_BY.get(victim)
    if languages is None:
        scene.recoveries.append(Recovery(f"{victim} back", ready_s, limit_s))
        return
    newest_at_s = await stage.viewers.caption(languages, after_s=killed_at_s + _ON_ITS_WAY_S)
    scene.recoveries.append(
        Recovery(f"captions back after {victim}", newest_at_s - killed_at_s, limit_s)
    )
