"""kill -9 of services in the middle of a sermon, and of the gateway again and again."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Sequence

from bench.chaos.stage import TARGETS, Scene

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
# One that dies again sooner is started after a pause, which grows: a loop of crashes is no fault of
# ours to time.
_CALM_S = 21.0


async def kill_each(scene: Scene, services: Sequence[str], times: int) -> None:
    """Kills each service `times` times, in an order and at moments of chance."""
    for number in range(times):
        for victim in scene.chance.sample(services, len(services)):
            least_s = _CALM_S if number else 0.5
            await scene.speak_on(least_s, least_s + 2.5)
            await _kill(scene, victim)


async def kill_gateway_at_frames(scene: Scene, times: int) -> None:
    """Kills the gateway between any two frames, which are 100 ms long."""
    for _ in range(times):
        await scene.speak_on(0.1, 4.0)
        await _kill(scene, "gateway", is_timed=False)


async def _kill(scene: Scene, victim: str, *, is_timed: bool = True) -> None:
    """Kills one; waits until another is ready and captions are back.

    Args:
        is_timed: within what is promised; so soon after each other no time is.
    """
    stage = scene.stage
    pid = stage.pid(victim)
    killed_at_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    scene.times += 1
    await stage.ready(victim, but_pid=pid)
    ready_s = time.monotonic() - killed_at_s
    limit_s = ready_s + LOADED_WITHIN_S if victim in _LOADS else BACK_WITHIN_S
    if not is_timed:
        limit_s = math.inf
    languages = _SHOWN_BY.get(victim)
    if languages is None:
        scene.take_back(f"{victim} back", ready_s, limit_s)
        return
    newest_at_s = await stage.viewers.caption(languages, after_s=killed_at_s + _ON_ITS_WAY_S)
    scene.take_back(f"captions back after {victim}", newest_at_s - killed_at_s, limit_s)
