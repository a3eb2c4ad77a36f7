"""No room left on the disk of the journal, and on that of Redis."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

from bench.chaos.operator import QUEUE, is_healthy, warnings
from bench.chaos.stage import Scene

BACK_WITHIN_S = 5.0
NOTICED_WITHIN_S = 5.0
_FULL_S = 5.0
_PIECE_BYTES = 64 * 1024


async def journal_full(scene: Scene) -> None:
    """The journal cannot be written: captions wait, audio is kept, and all of it comes later."""
    stage = scene.stage

    async def is_told() -> bool:
        return "JOURNAL_FAILED" in await warnings(stage)

    ballast = stage.supervisor.plan.state_dir / "gateway" / "ballast"
    scene.times += 1
    await asyncio.to_thread(fill_up, ballast)
    try:
        # Not before something is to be written, which is a sentence later.
        await scene.notice(is_told, "the full disk of the journal", 2 * _FULL_S)
        await scene.speak_on(_FULL_S, _FULL_S)
    finally:
        ballast.unlink()
    freed_at_s = time.monotonic()
    newest_at_s = await stage.viewers.caption(("es",), after_s=freed_at_s)
    scene.take_back("captions back after the disk", newest_at_s - freed_at_s, BACK_WITHIN_S)


async def redis_full(scene: Scene) -> None:
    """Redis cannot write its log of commands: it refuses pairs, and takes them later."""
    stage = scene.stage
    ballast = stage.supervisor.plan.state_dir / "redis" / "ballast"

    async def is_told() -> bool:
        return not await is_healthy(stage, "collector", QUEUE)

    scene.times += 1
    await asyncio.to_thread(fill_up, ballast)
    try:
        await scene.notice(is_told, "the full disk of Redis", 3 * NOTICED_WITHIN_S)
    finally:
        ballast.unlink()
    await scene.recover(
        lambda: is_healthy(stage, "collector", QUEUE), "the queue back", BACK_WITHIN_S
    )


def fill_up(path: Path) -> None:
    """Writes until there is no room."""
    piece = bytes(_PIECE_BYTES)
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(piece)
