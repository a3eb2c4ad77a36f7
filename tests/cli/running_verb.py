"""A verb that runs until it is told to stop, as a user would run it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.processes import REPOSITORY

DEADLINE_S = 30.0


class RunningVerb:
    """What it has said on stderr so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[str] = []
        self._heard = 0  # lines that an earlier wait has used up

    async def until_said(self, *words: str) -> None:
        """Waits until each of `words` stands in a line said since the last wait, in any order."""
        assert self._process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            while not all(any(each in line for line in self.said[self._heard :]) for each in words):
                line = await self._process.stderr.readline()
                if not line:
                    raise AssertionError(f"it ended without saying {words}: {self.said}")
                self.said.append(line.decode().rstrip())
        self._heard = len(self.said)

    async def ended(self) -> int:
        """Reads to the end; the exit status."""
        assert self._process.stderr is not None
        try:
            async with asyncio.timeout(DEADLINE_S):
                while line := await self._process.stderr.readline():
                    self.said.append(line.decode().rstrip())
                return await self._process.wait()
        except TimeoutError:
            raise AssertionError(f"it goes on, and said {self.said}") from None

    async def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        self._process.send_signal(signal.SIGINT)
        return await self.ended()


@asynccontextmanager
async def running_verb(*arguments: str, **environment: str) -> AsyncIterator[RunningVerb]:
    """`./glossa <arguments>` with `environment` alone, where no stack is found."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "cli", *arguments),
        cwd=REPOSITORY,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")},
            "GLOSSA_STATE_DIR": "/nonexistent",
            **environment,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield RunningVerb(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
