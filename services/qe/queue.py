"""The pairs that wait for one engine, and the batches in which they go through it.

First come, first served: a batch takes pairs of as many requests as fit, and waits a little for
more while it has room. Overflow policy: when the queue is full the newcomer is refused; quality
comes later as well. A caller that gave up, or whose deadline passed, leaves the queue, and what is
left of its request is not run.
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


class _Request:
    """The pairs of one caller, and what is known of them so far."""

    def __init__(self, pairs: Sequence[Pair], deadline: float | None) -> None:
        self.pairs = pairs
        self.deadline = deadline
        self.taken = 0  # pairs that are in a batch, or were
        self.scores: Scores = []
        self.result: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()

    def take(self, limit: int) -> Sequence[Pair]:
        pairs = self.pairs[self.taken : self.taken + limit]
        self.taken += len(pairs)
        return pairs

    def give(self, scores: Scores) -> None:
        self.scores += scores
        if len(self.scores) == len(self.pairs) and not self.result.done():
            self.result.set_result(self.scores)

    def fail(self, error: Exception) -> None:
        if not self.result.done():
            self.result.set_exception(error)

    def is_late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline


class BatchQueue:
    """The requests of one engine.

    Args:
        name: of the engine, in metrics.
        size: requests that may wait.
        max_batch_pairs: pairs of one batch.
        batch_wait_s: how long a batch with room left waits for more pairs.
        score: measures one batch; what it raises is the answer to every request in it.
    """

    def __init__(
        self,
        name: str,
        size: int,
        max_batch_pairs: int,
        batch_wait_s: float,
        score: Callable[[Sequence[Pair]], Awaitable[Scores]],
    ) -> None:
        self._size = size
        self._max_batch_pairs = max_batch_pairs
        self._batch_wait_s = batch_wait_s
        self._score = score
        self._waiting: deque[_Request] = deque()
        self._arrived = asyncio.Event()
        self._depth = metrics.QUEUE_DEPTH.labels(name)
        self._batch_pairs = metrics.BATCH_PAIRS.labels(name)

    def enter(self, pairs: Sequence[Pair], deadline: float | None) -> asyncio.Future[Scores]:
        """Queues pairs; the future gets one result a pair. To cancel it is to leave the queue.

        Args:
            deadline: time.monotonic(); None for none. Its passing is DeadlinePassed in the future.

        Raises:
            Overloaded: the queue is full.
        """
        if len(self._waiting) >= self._size:
            raise Overloaded(
                "OVERLOADED",
                "more requests wait than can be measured",
                retry_after_s=RETRY_AFTER_S,
            )
        request = _Request(pairs, deadline)
        self._waiting.append(request)
        request.result.add_done_callback(lambda _: self._forget(request))
        self._arrived.set()
        self._depth.set(len(self._waiting))
        return request.result

    async def run(self) -> None:
        """Works until cancelled."""
        while True:
            await self._wait_for_pairs()
            if batch := self._take():
                await self._run(batch)

    async def _wait_for_pairs(self) -> None:
        """Returns when there is a batch: a full one, or one that waited long enough for more."""
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        run_at = time.monotonic() + self._batch_wait_s
        while (wait_s := self._patience_s(run_at)) > 0:
            self._arrived.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _patience_s(self, run_at: float) -> float:
        """How long to wait for more; not at all when a caller could not afford it."""
        if sum(len(request.pairs) - request.taken for request in self._waiting) >= (
            self._max_batch_pairs
        ):
            return 0.0
        deadlines = [request.deadline for request in self._waiting if request.deadline is not None]
        if deadlines and min(deadlines) <= run_at:
            return 0.0
        return run_at - time.monotonic()

    def _take(self) -> list[tuple[_Request, Sequence[Pair]]]:
        """The next batch, in the order of the requests."""
        batch = []
        room = self._max_batch_pairs
        while room and self._waiting:
            request = self._waiting[0]
            if request.is_late():
                request.fail(
                    DeadlinePassed("DEADLINE_PASSED", "the deadline passed before the end")
                )
            elif not request.result.done():
                pairs = request.take(room)
                batch.append((request, pairs))
                room -= len(pairs)
            if request.result.done() or request.taken == len(request.pairs):
                self._forget(request)
        return batch

    async def _run(self, batch: Sequence[tuple[_Request, Sequence[Pair]]]) -> None:
        pairs = [pair for _, share in batch for pair in share]
        self._batch_pairs.observe(len(pairs))
        try:
            scores = await self._score(pairs)
        except Exception as error:  # noqa: BLE001  it is the callers', whatever it is
            for request, _ in batch:
                request.fail(error)
            return
        start = 0
        for request, share in batch:
            request.give(scores[start : start + len(share)])
            start += len(share)

    def _forget(self, request: _Request) -> None:
        if request in self._waiting:
            self._waiting.remove(request)
        self._depth.set(len(self._waiting))
