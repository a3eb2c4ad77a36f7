"""Redis killed for a while, frozen, without room, and restarted empty."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal

from bench.chaos.operator import QUEUE, is_healthy
from bench.chaos.stage import Scene
from services.errors import Unavailable

NOTICED_WITHIN_S = 5.0
BACK_WITHIN_S = 5.0
_AWAY_S = 4.0
_REFILLED_WITHIN_S = 20.0
_POLL_S = 0.1


async def down(scene: Scene) -> None:
    """Kills it as often as it is started, for a while."""

    async def keep_it_down() -> None:
        while True:
            with contextlib.suppress(ProcessLookupError, Unavailable):
                os.kill(scene.stage.pid("redis"), signal.SIGKILL)
            await asyncio.sleep(_POLL_S)

    killing = asyncio.create_task(keep_it_down())
    try:
        await _notice(scene, "Redis down")
        await scene.speak_on(_AWAY_S, _AWAY_S)
    finally:
        killing.cancel()
    await _recover(scene, "Redis down")


async def frozen(scene: Scene) -> None:
    """SIGSTOP: connections stay, and nothing answers."""
    pid = scene.stage.pid("redis")
    os.kill(pid, signal.SIGSTOP)
    try:
        await _notice(scene, "Redis frozen")
    finally:
        with contextlib.suppress(ProcessLookupError):  # the supervisor may have killed it
            os.kill(pid, signal.SIGCONT)
    await _recover(scene, "Redis frozen")


async def without_memory(scene: Scene) -> None:
    """Its memory is full: it answers, and takes nothing."""
    await asyncio.to_thread(_limit_memory, scene, 1)
    try:
        # It answers until a pair is to be written, which is a sentence later.
        await _notice(scene, "Redis without memory", within_s=3 * NOTICED_WITHIN_S)
        await scene.speak_on(_AWAY_S, _AWAY_S)
    finally:
        await asyncio.to_thread(_limit_memory, scene, 0)
    await _recover(scene, "Redis without memory")


async def empty(scene: Scene) -> None:
    """It comes back with nothing: what it had, of all sessions, is there again from the journal."""
    stage = scene.stage
    before = await asyncio.to_thread(stage.all_pair_ids)
    scene.seen.append(f"Redis had {len(before)} pairs before it was emptied")
    pid = stage.pid("redis")
    os.kill(pid, signal.SIGSTOP)  # it must not write while its files go
    files = stage.supervisor.plan.state_dir / "redis" / "appendonlydir"
    await asyncio.to_thread(shutil.rmtree, files)
    os.kill(pid, signal.SIGKILL)
    scene.times += 1
    await stage.ready("redis", but_pid=pid)

    async def is_refilled() -> bool:
        return before <= await asyncio.to_thread(stage.all_pair_ids)

    await scene.recover(is_refilled, "Redis filled again", _REFILLED_WITHIN_S)


async def each(scene: Scene) -> None:
    """All of them, one after another."""
    for fault in (down, frozen, without_memory, empty):
        await scene.speak_on(0.5, 2.0)
        await fault(scene)


async def _notice(scene: Scene, what: str, within_s: float = NOTICED_WITHIN_S) -> None:
    """Until the collector's health says that its queue is away."""
    scene.times += 1

    async def is_told() -> bool:
        return not await is_healthy(scene.stage, "collector", QUEUE)

    await scene.notice(is_told, what, within_s)


async def _recover(scene: Scene, what: str) -> None:
    """Until the collector's health says that its queue is there."""
    await scene.recover(
        lambda: is_healthy(scene.stage, "collector", QUEUE),
        f"the queue back after: {what}",
        BACK_WITHIN_S,
    )


def _limit_memory(scene: Scene, limit_bytes: int) -> None:
    with contextlib.closing(scene.stage.redis()) as connection:
        connection.config_set("maxmemory", limit_bytes)
