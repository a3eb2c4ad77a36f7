"""The stacks that faults share: plain, and rigged for what a plain one cannot be made to suffer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from bench.chaos.stage import Stage
from bench.stack import running_stack

Rig = Callable[[], AbstractAsyncContextManager[Stage]]


@contextlib.asynccontextmanager
async def plain() -> AsyncIterator[Stage]:
    """The embedded profile as it comes."""
    async with running_stack("embedded") as supervisor, Stage.on(supervisor) as stage:
        yield stage


RIGS: dict[str, Rig] = {"plain": plain}
