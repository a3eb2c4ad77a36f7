"""The requests that wait for the engine, first come first served.

Overflow policy: when the queue is full the newcomer is refused; quality comes later as well. A
caller that gave up, or whose deadline passed, leaves the queue, and what is left of its request is
not run.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from services.errors import DeadlinePassed, Overloaded
from services.qe import metrics
from services.qe.engine import Pair, Signal

RETRY_AFTER_S = 1.0
Scores = list[tuple[Signal, ...]]


class _Waiting:
    def __init__(self, pairs: Sequence[Pair], deadline: float | None) -> None:
        self.pairs = pairs
        self.deadline = deadline  # time.monotonic(), None for no deadline
        self.result: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()

    def is_abandoned(self) -> bool:
        return self.result.done() or (
            self.deadline is not None and time.monotonic() >= self.deadline
        )


class ScoreQueue:
    """Runs requests one at a time, a chunk of pairs after another.

    Args:
        size: requests that may wait.
        score: measures one chunk in the engine's thread.
    """

    def __init__(
        self, size: int, chunk_pairs: int, score: Callable[[Sequence[Pair]], Awaitable[Scores]]
    ) -> None:
        self._size = size
        self._chunk_pairs = chunk_pairs
        self._score = score
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()

    async def submit(self, pairs: Sequence[Pair], timeout_s: float | None) -> Scores:
        """Waits for its turn and returns one result a pair.

        Raises:
            Overloaded: the queue is full.
            DeadlinePassed: it could not be finished in time.
        """
        if len(self._waiting) >= self._size:
            raise Overloaded(
                "OVERLOADED",
                "more requests wait than can be measured",
                retry_after_s=RETRY_AFTER_S,
            )
        waiting = _Waiting(pairs, None if timeout_s is None else time.monotonic() + timeout_s)
        self._waiting.append(waiting)
        self._arrived.set()
        metrics.QUEUE_DEPTH.set(len(self._waiting))
        try:
            return await waiting.result
        finally:
            if waiting in self._waiting:  # the caller gave up
                self._waiting.remove(waiting)
            metrics.QUEUE_DEPTH.set(len(self._waiting))

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            waiting = self._waiting.popleft()
            metrics.QUEUE_DEPTH.set(len(self._waiting))
            try:
                scores = await self._score_in_chunks(waiting)
            except Exception as error:  # noqa: BLE001  it is the caller's, whatever it is
                if not waiting.result.done():
                    waiting.result.set_exception(error)
            else:
                if not waiting.result.done():
                    waiting.result.set_result(scores)

    async def _score_in_chunks(self, waiting: _Waiting) -> Scores:
        scores: Scores = []
        for start in range(0, len(waiting.pairs), self._chunk_pairs):
            if waiting.is_abandoned():
                raise DeadlinePassed("DEADLINE_PASSED", "the deadline passed before the end")
            scores += await self._score(waiting.pairs[start : start + self._chunk_pairs])
        return scores
