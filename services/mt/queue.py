"""The texts that wait for an engine: finals before drafts, and drafts are what is given up.

Overflow policy: when the queue is full the oldest draft is dropped for the newcomer; when only
finals wait, the newcomer is refused. A caller that gave up, or whose deadline passed, leaves the
queue without being run. Texts of one kind that wait go together, as many as the engine takes at
once; nothing waits for others to come.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from services.errors import DeadlinePassed, Overloaded
from services.mt import metrics

Item = TypeVar("Item")
Result = TypeVar("Result")
RETRY_AFTER_S = 0.5


class _Waiting(Generic[Item, Result]):
    def __init__(self, item: Item, deadline: float | None) -> None:
        self.item = item
        self.deadline = deadline  # time.monotonic(), None for no deadline
        self.result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()


class WorkQueue(Generic[Item, Result]):
    """Runs items, a batch at a time, in the order described above.

    Args:
        size: items that may wait, finals and drafts together.
        execute: runs a batch; what it gives for an item may be the error that the item met.
        batch_size: how many `execute` takes now.
    """

    def __init__(
        self,
        size: int,
        execute: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        batch_size: Callable[[], int],
    ) -> None:
        self._size = size
        self._execute = execute
        self._batch_size = batch_size
        self._finals: deque[_Waiting[Item, Result]] = deque()
        self._drafts: deque[_Waiting[Item, Result]] = deque()
        self._arrived = asyncio.Event()

    async def submit(self, item: Item, *, draft: bool, deadline: float | None) -> Result:
        """Waits for its turn and returns what `execute` gave for it.

        Args:
            deadline: time.monotonic() at which nobody wants it any more.

        Raises:
            Overloaded: the queue is full, or a draft had to make room.
            DeadlinePassed: its turn came too late.
        """
        if len(self._finals) + len(self._drafts) >= self._size:
            if not self._drafts:
                if draft:
                    metrics.DRAFTS_DROPPED.inc()
                raise _overloaded()
            metrics.DRAFTS_DROPPED.inc()
            dropped = self._drafts.popleft()
            metrics.QUEUE_DEPTH.labels("draft").dec()
            if not dropped.result.done():
                dropped.result.set_exception(_overloaded())
        waiting: _Waiting[Item, Result] = _Waiting(item, deadline)
        queue, kind = (self._drafts, "draft") if draft else (self._finals, "final")
        queue.append(waiting)
        metrics.QUEUE_DEPTH.labels(kind).inc()
        self._arrived.set()
        try:
            return await waiting.result
        finally:
            if waiting in queue:  # the caller gave up
                queue.remove(waiting)
                metrics.QUEUE_DEPTH.labels(kind).dec()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            if not (self._finals or self._drafts):
                self._arrived.clear()
                await self._arrived.wait()
                continue
            if batch := self._next_batch():
                await self._run_batch(batch)

    def _next_batch(self) -> list[_Waiting[Item, Result]]:
        queue, kind = (self._finals, "final") if self._finals else (self._drafts, "draft")
        batch: list[_Waiting[Item, Result]] = []
        most = max(1, self._batch_size())
        while queue and len(batch) < most:
            waiting = queue.popleft()
            metrics.QUEUE_DEPTH.labels(kind).dec()
            if waiting.result.done():
                continue
            if waiting.deadline is not None and time.monotonic() >= waiting.deadline:
                waiting.result.set_exception(
                    DeadlinePassed("DEADLINE_PASSED", "the deadline passed before its turn")
                )
                continue
            batch.append(waiting)
        return batch

    async def _run_batch(self, batch: Sequence[_Waiting[Item, Result]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._execute([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001  it is the callers', whatever it is
            results = [error] * len(batch)
        for waiting, result in zip(batch, results, strict=True):
            if waiting.result.done():
                continue
            if isinstance(result, Exception):
                waiting.result.set_exception(result)
            else:
                waiting.result.set_result(result)


def _overloaded() -> Overloaded:
    return Overloaded(
        "OVERLOADED", "more texts wait than can be translated", retry_after_s=RETRY_AFTER_S
    )
