"""A tier: one engine that can be replaced while it works, and the texts that wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from services.errors import GlossaError, OutOfMemory, WrongState
from services.mt import metrics, smoke
from services.mt.engine import Capabilities, LanguagePair
from services.mt.loaded import Answer, Choice, LoadedEngine, beside
from services.mt.queue import WorkQueue
from services.mt.task import TextTask
from services.swap import Swap

log = structlog.get_logger()

TierName = Literal["final", "draft"]

FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0


@dataclass(frozen=True)
class Replaced:
    """What a load changed.

    Args:
        load_ms: from the call to the first use.
    """

    current: LoadedEngine
    previous: LoadedEngine
    load_ms: float


class Tier:
    """One tier.

    Args:
        must_translate: pairs that a new engine has to do before it replaces the one in use.
        first_rest_s: how long it rests after a failure; doubled with each further one.
    """

    def __init__(
        self,
        name: TierName,
        loaded: LoadedEngine,
        queue_size: int,
        must_translate: Sequence[LanguagePair] = (),
        first_rest_s: float = FIRST_REST_S,
    ) -> None:
        self.name = name
        self._swap = Swap(loaded)
        self._before: Choice | None = None
        self._must_translate = tuple(must_translate)
        self._queue: WorkQueue[TextTask, Answer] = WorkQueue(
            queue_size, self._translate, lambda: self.loaded.max_batch
        )
        self._first_rest_s = first_rest_s
        self.rests_for = ""  # why, in words; empty: it works
        self.rest_changed = asyncio.Event()
        self._rest_s = 0.0  # 0: it works
        self._rests_since = 0.0
        self._rests_until = 0.0

    @property
    def loaded(self) -> LoadedEngine:
        """The engine in use now."""
        return self._swap.current

    @property
    def capabilities(self) -> Capabilities:
        return self.loaded.engine.capabilities

    async def run(self) -> None:
        """Works until cancelled."""
        await self._queue.run()

    async def close(self) -> None:
        """Ends its engines."""
        await self._swap.close()

    async def translate(self, task: TextTask, *, draft: bool, deadline: float | None) -> Answer:
        """Waits for its turn. A caller that leaves stops the engine at the next token.

        Raises:
            Overloaded, DeadlinePassed, EngineFailed (OutOfMemory).
        """
        try:
            return await self._queue.submit(task, draft=draft, deadline=deadline)
        finally:
            task.cancel()

    async def load(self, runtime: str, model: str) -> Replaced:
        """Takes another model into use.

        Raises:
            WrongState: LOAD_IN_PROGRESS.
            GlossaError: it cannot be loaded (OUT_OF_MEMORY beside the old one) or does not
                translate (SMOKE_TEST_FAILED); the old one stays.
        """
        return await self._replace(beside(self.loaded.choice, runtime, model))

    async def roll_back(self) -> Replaced:
        """Takes the model into use that was before. Raises what `load` does, and WrongState:
        NOTHING_TO_ROLL_BACK."""
        if self._before is None:
            raise WrongState(
                "NOTHING_TO_ROLL_BACK", f"the {self.name} tier had no other model since its start"
            )
        return await self._replace(self._before)

    # ---- failures of the engine, so that a draft tier can stand in ----

    def may_try(self) -> bool:
        """Whether a text may go to it: it works, or its rest is over, for one text at a time."""
        if not self._rest_s:
            return True
        if time.monotonic() < self._rests_until:
            return False
        self._rests_until = time.monotonic() + self._rest_s
        return True

    def rest(self, error: GlossaError, asked_at: float) -> None:
        """It failed: leave it alone for a while, longer each time.

        Args:
            asked_at: time.monotonic() at which the text came that failed. Those that came before
                a rest began and fail with the others say nothing new.
        """
        if self._rest_s and asked_at < self._rests_since:
            return
        doubled = self._rest_s * 2 or self._first_rest_s
        self._rest_s = min(doubled, LONGEST_REST_S)
        self._rests_since = time.monotonic()
        self._rests_until = self._rests_since + self._rest_s
        self.rests_for = error.message
        self.rest_changed.set()
        metrics.DEGRADED.set(1)
        log.warning(
            "tier_rests",
            tier=self.name,
            reason=error.reason,
            rest_s=self._rest_s,
            message=error.message,
        )

    def recover(self) -> None:
        """It works."""
        if self._rest_s:
            self._rest_s = 0.0
            self.rests_for = ""
            self.rest_changed.set()
            metrics.DEGRADED.set(0)
            log.info("tier_recovered", tier=self.name)

    async def _translate(self, tasks: Sequence[TextTask]) -> list[Answer | Exception]:
        metrics.BATCH_TEXTS.labels(self.name).observe(len(tasks))
        async with self._swap.lease() as loaded:
            answers = await loaded.translate(tasks)
        tokens = sum(a.applied.rendering.token_count for a in answers if isinstance(a, Answer))
        metrics.TOKENS.labels(self.name).inc(tokens)
        return answers

    async def _replace(self, choice: Choice) -> Replaced:
        started_at = time.monotonic()
        previous = self.loaded
        outcome = "CANCELLED"
        took_ms = 0.0

        async def make() -> LoadedEngine:
            nonlocal took_ms, outcome
            loaded = await self._load_and_try(choice)
            # From here on nothing stops it, though the caller may leave before the old one closed.
            self._before = previous.choice
            outcome = "OK"
            took_ms = (time.monotonic() - started_at) * 1000
            self.recover()
            return loaded

        try:
            await self._swap.replace(make)
        except GlossaError as error:
            outcome = error.reason
            raise
        finally:
            metrics.LOADS.labels(self.name, outcome).inc()
            log.info(
                "model_load",
                tier=self.name,
                runtime=choice.runtime,
                model=choice.options.model,
                outcome=outcome,
            )
        return Replaced(self.loaded, previous, took_ms)

    async def _load_and_try(self, choice: Choice) -> LoadedEngine:
        try:
            loaded = await LoadedEngine.load(choice)
            try:
                await smoke.try_out(loaded, self._must_translate)
            except BaseException:
                await asyncio.shield(asyncio.to_thread(loaded.close))
                raise
        except OutOfMemory as error:
            raise OutOfMemory(
                f"there is no room beside the model in use, which stays: {error.message}"
            ) from error
        return loaded
