"""The texts that wait for the engine: finals before drafts, and drafts are what is given up.

Overflow policy: when the queue is full the oldest draft is dropped for the newcomer; when only
finals wait, the newcomer is refused. A caller that gave up, or whose deadline passed, leaves the
queue without being run.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from services.errors import DeadlinePassed, Overloaded
from services.mt import metrics

Result = TypeVar("Result")
RETRY_AFTER_S = 0.5


class _Waiting(Generic[Result]):
    def __init__(self, work: Callable[[], Result], deadline: float | None) -> None:
        self.work = work
        self.deadline = deadline  # time.monotonic(), None for no deadline
        self.result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()


class WorkQueue(Generic[Result]):
    """Runs work one piece at a time in the order described above.

    Args:
        size: pieces that may wait, finals and drafts together.
        execute: runs one piece in the engine's thread.
    """

    def __init__(
        self, size: int, execute: Callable[[Callable[[], Result]], Awaitable[Result]]
    ) -> None:
        self._size = size
        self._execute = execute
        self._finals: deque[_Waiting[Result]] = deque()
        self._drafts: deque[_Waiting[Result]] = deque()
        self._arrived = asyncio.Event()

    async def submit(
        self, work: Callable[[], Result], *, draft: bool, timeout_s: float | None
    ) -> Result:
        """Waits for its turn and returns what `work` returned.

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
            if not dropped.result.done():
                dropped.result.set_exception(_overloaded())
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = _Waiting(work, deadline)
        queue = self._drafts if draft else self._finals
        queue.append(waiting)
        self._arrived.set()
        self._report_depth()
        try:
            return await waiting.result
        finally:
            if waiting in queue:  # the caller gave up
                queue.remove(waiting)
            self._report_depth()

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            if not (self._finals or self._drafts):
                self._arrived.clear()
                await self._arrived.wait()
                continue
            waiting = (self._finals or self._drafts).popleft()
            self._report_depth()
            if waiting.result.done():
                continue
            if waiting.deadline is not None and time.monotonic() >= waiting.deadline:
                waiting.result.set_exception(
                    DeadlinePassed("DEADLINE_PASSED", "the deadline passed before its turn")
                )
                continue
            try:
                result = await self._execute(waiting.work)
            except Exception as error:  # noqa: BLE001  it is the caller's, whatever it is
                if not waiting.result.done():
                    waiting.result.set_exception(error)
            else:
                if not waiting.result.done():
                    waiting.result.set_result(result)

    def _report_depth(self) -> None:
        metrics.QUEUE_DEPTH.labels("final").set(len(self._finals))
        metrics.QUEUE_DEPTH.labels("draft").set(len(self._drafts))


def _overloaded() -> Overloaded:
    return Overloaded(
        "OVERLOADED", "more texts wait than can be translated", retry_after_s=RETRY_AFTER_S
    )
