"""The degradation ladder: the final model, then mt, then qe away; captions go on with less."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

import psutil

from bench.chaos.faults.freezes import BACK_WITHIN_S, NOTICED_WITHIN_S
from bench.chaos.operator import engine_state
from bench.chaos.stage import TARGETS, Scene

_SOURCE = ("en",)
_FINAL_MODEL_BACK_WITHIN_S = 20.0  # it is tried again after 1, 2, 4 ... seconds


async def down_and_up(scene: Scene) -> None:
    """Each rung once, and back up."""
    await _without_final_model(scene)
    await _without(scene, "mt", going_on=_SOURCE, missing=TARGETS)
    await _without(scene, "qe", going_on=(*_SOURCE, *TARGETS), missing=())


async def _without_final_model(scene: Scene) -> None:
    """The programs of mt's final model die and cannot be started: the draft model answers."""
    stage = scene.stage

    async def is_degraded() -> bool:
        return await engine_state(stage, "mt") == "DEGRADED"

    async def is_whole() -> bool:
        return await engine_state(stage, "mt") == "SERVING"

    scene.times += 1
    with stage.shims.broken():
        for program in psutil.Process(stage.pid("mt")).children(recursive=True):
            program.kill()
        broken_at_s = time.monotonic()
        # mt finds out with the next final.
        await scene.notice(is_degraded, "the final model's end", 3 * NOTICED_WITHIN_S)
        await stage.viewers.caption(TARGETS, after_s=broken_at_s)
        scene.seen.append("without the final model: translations go on, GetStatus says DEGRADED")
    await scene.recover(is_whole, "the final model back", _FINAL_MODEL_BACK_WITHIN_S)


async def _without(
    scene: Scene, service: str, *, going_on: Sequence[str], missing: Sequence[str]
) -> None:
    stage = scene.stage

    async def is_away() -> bool:
        return await engine_state(stage, service) == "UNREACHABLE"

    async def is_back() -> bool:
        return await engine_state(stage, service) == "SERVING"

    scene.times += 1
    pid = stage.pid(service)
    os.kill(pid, signal.SIGSTOP)
    frozen_at_s = time.monotonic()
    try:
        await scene.notice(is_away, f"{service} away", NOTICED_WITHIN_S)
        for language in going_on:
            await stage.viewers.caption((language,), after_s=frozen_at_s + 1.0)
        newest_at_s = max((stage.viewers.newest_at_s.get(each, 0.0) for each in missing), default=0)
        if newest_at_s > frozen_at_s + 1.0:
            scene.failures.append(
                f"{', '.join(missing)} came from nowhere while {service} was away"
            )
        scene.seen.append(
            f"without {service}: captions in {', '.join(going_on)} go on, "
            "GetStatus says UNREACHABLE"
        )
    finally:
        os.kill(pid, signal.SIGCONT)
    await scene.recover(is_back, f"{service} back", BACK_WITHIN_S)
