"""Some at once, some who wait for them, and no more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from services.errors import Overloaded


class Turns:
    """Lets `at_once` pass and `waiting` wait; whoever comes then is told to come back."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._room = at_once + waiting

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Raises Overloaded: TOO_MANY_EXPORTS."""
        if not self._room:
            raise Overloaded(
                "TOO_MANY_EXPORTS",
                "too many transcripts are being made just now; try again in a moment",
                retry_after_s=5.0,
            )
        self._room -= 1
        try:
            async with self._free:
                yield
        finally:
            self._room += 1
