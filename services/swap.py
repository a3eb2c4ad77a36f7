"""One loaded model that can be replaced while it is in use.

stt, mt and qe share it: who is using the old model goes on to the end with it, whoever comes next
gets the new one, and the old one is closed when the last user has left.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import structlog

from services.errors import WrongState

log = structlog.get_logger()


class Closable(Protocol):
    def close(self) -> None:
        """Gives everything back; blocks."""


Model = TypeVar("Model", bound=Closable)


class _Held(Generic[Model]):
    """A model and how many use it now."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.users = 0
        self.replaced = asyncio.Event()
        self.is_free = asyncio.Event()


class Swap(Generic[Model]):
    """The model in use."""

    def __init__(self, model: Model) -> None:
        self._held = _Held(model)
        self._replacing = asyncio.Lock()
        self._retiring: set[asyncio.Task[None]] = set()

    @property
    def current(self) -> Model:
        """The model in use now, for looking at; use `lease` to work with it."""
        return self._held.model

    @contextlib.asynccontextmanager
    async def lease(self) -> AsyncIterator[Model]:
        """The model in use now; it stays open until the lease ends."""
        held = self._held
        held.users += 1
        try:
            yield held.model
        finally:
            held.users -= 1
            if held.replaced.is_set() and held.users == 0:
                held.is_free.set()

    async def replaced(self) -> None:
        """Returns when the model in use now has been replaced: who holds a long lease ends it."""
        await self._held.replaced.wait()

    async def replace(self, make: Callable[[], Awaitable[Model]]) -> None:
        """Takes what `make` returns into use, then closes the old one once nobody uses it.

        `make` loads and tries the new model; the old one is in use all the while, and stays when
        `make` raises. A caller that is cancelled after that leaves the old one to be closed.

        Raises:
            WrongState: LOAD_IN_PROGRESS, when another replacement is under way.
        """
        if self._replacing.locked():
            raise WrongState(
                "LOAD_IN_PROGRESS", "another model is being loaded; wait until it is done"
            )
        async with self._replacing:
            model = await make()
            old, self._held = self._held, _Held(model)
            await asyncio.shield(self._retire(old))

    async def close(self) -> None:
        """Closes the model in use and the old ones, each once nobody uses it."""
        self._retire(self._held)
        while self._retiring:
            await asyncio.wait(self._retiring)

    def _retire(self, held: _Held[Model]) -> asyncio.Task[None]:
        held.replaced.set()
        task = asyncio.create_task(self._close_when_free(held))
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
        return task

    async def _close_when_free(self, held: _Held[Model]) -> None:
        if held.users:
            await held.is_free.wait()
        try:
            await asyncio.to_thread(held.model.close)
        except Exception:  # the new one is in use: nothing of it is the caller's
            log.exception("model_did_not_close")
