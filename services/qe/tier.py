"""One engine of qe with the pairs that wait for it: there, missing, mended or replaced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from services.conditions import Conditions
from services.errors import EngineFailed, GlossaError, OutOfMemory, Unavailable, WrongState
from services.qe import metrics
from services.qe.absent import AbsentEngine, unset
from services.qe.engine import ENGINES, SMOKE_PAIR, Engine, Pair, Signal
from services.qe.loaded import LoadedEngine, Measured
from services.qe.queue import BatchQueue, Scores
from services.qe.settings import QeSettings
from services.swap import Swap

log = structlog.get_logger()

FIRST_REST_S = 5.0
LONGEST_REST_S = 300.0


def condition(name: str) -> str:
    """The name in gRPC health of whether an engine of ENGINES is there."""
    return f"glossa.qe.v1.{name}"


@dataclass(frozen=True)
class Replaced:
    """What a load changed.

    Args:
        load_ms: from the call to the first use.
    """

    current: Engine
    previous: Engine
    load_ms: float


class Tier:
    """One engine of ENGINES. Without it its signals are unset; only the rules must be there.

    An engine that breaks while it works is left alone for a while and loaded again; one that could
    not be loaded at the start waits for `load` or the next start.
    """

    def __init__(self, name: str, settings: QeSettings, conditions: Conditions) -> None:
        entry = ENGINES[name]
        self.name = name
        self._settings = settings
        self._conditions = conditions
        self._signal_names = entry.signal_names
        self._queue = BatchQueue(
            name,
            settings.queue_size,
            settings.max_batch_pairs if entry.gains_by_batches else 1,
            settings.batch_wait_ms / 1000 if entry.gains_by_batches else 0.0,
            self._score,
        )
        self._swap: Swap[LoadedEngine] | None = None
        self._before: QeSettings | None = None
        self._broke = asyncio.Event()
        self._breakage: GlossaError = EngineFailed(f"{name} did not break", engine=name)

    @property
    def engine(self) -> Engine:
        """The engine in use now; one that only says why it is missing, when it is."""
        return self._in_use().current.engine

    @property
    def is_there(self) -> bool:
        return not isinstance(self.engine, AbsentEngine)

    async def start(self) -> None:
        """Loads the engine. Raises GlossaError when it is the rules that cannot be loaded."""
        try:
            loaded = await LoadedEngine.load(self.name, self._settings)
        except GlossaError as error:
            metrics.LOADS.labels(self.name, error.reason).inc()
            if not self._signal_names:
                raise
            loaded = await self._absent(
                error, self._settings, "put that right, then start qe again"
            )
        else:
            self._signal_names = loaded.engine.signal_names
            await self._tell_loaded(loaded)
        self._swap = Swap(loaded)

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._queue.run())
            tasks.create_task(self._mend())

    async def close(self) -> None:
        """Ends its engines."""
        if self._swap is not None:
            await self._swap.close()

    def enter(self, pairs: Sequence[Pair], deadline: float | None) -> asyncio.Future[Scores]:
        """Queues pairs, see BatchQueue.enter."""
        return self._queue.enter(pairs, deadline)

    async def load(self, model: str) -> Replaced:
        """Loads another model beside the one in use, which stays when anything fails.

        Raises:
            WrongState: LOAD_IN_PROGRESS.
            GlossaError: it cannot be loaded, or did not pass its trial.
        """
        return await self._replace(self._settings.model_copy(update={"model": model}))

    async def roll_back(self) -> Replaced:
        """Takes the model into use that was before. Raises what `load` does, and WrongState:
        NOTHING_TO_ROLL_BACK."""
        if self._before is None:
            raise WrongState(
                "NOTHING_TO_ROLL_BACK", f"{self.name} had no other model since the start"
            )
        return await self._replace(self._before)

    async def _replace(self, settings: QeSettings) -> Replaced:
        started_at = time.monotonic()
        swap = self._in_use()
        previous = swap.current
        took_ms = 0.0

        async def make() -> LoadedEngine:
            nonlocal took_ms
            loaded = await LoadedEngine.load(self.name, settings)
            self._before = previous.settings if self.is_there else None
            await self._tell_loaded(loaded)
            took_ms = (time.monotonic() - started_at) * 1000
            return loaded

        try:
            await swap.replace(make)
        except GlossaError as error:
            metrics.LOADS.labels(self.name, error.reason).inc()
            raise
        return Replaced(swap.current.engine, previous.engine, took_ms)

    async def _score(self, pairs: Sequence[Pair]) -> Scores:
        async with self._in_use().lease() as loaded:
            measured = await loaded.score(pairs)
            await self._look_for_breakage(loaded, measured)
        scores = [self._signals(result) for result in measured]
        for signal in (signal for score in scores for signal in score if signal.value is None):
            metrics.SIGNALS_MISSING.labels(signal.name).inc()
        return scores

    def _signals(self, result: Measured) -> tuple[Signal, ...]:
        if not isinstance(result, GlossaError):
            return result
        log.warning(
            "pair_not_measured", engine=self.name, reason=result.reason, message=result.message
        )
        return unset(self.name, self._signal_names, result)

    async def _look_for_breakage(self, loaded: LoadedEngine, measured: Sequence[Measured]) -> None:
        """A batch of which nothing came back is the pairs' fault only if a plain pair works."""
        errors = [result for result in measured if isinstance(result, GlossaError)]
        if len(errors) < len(measured) or isinstance(errors[0], OutOfMemory):
            return
        (trial,) = await loaded.score([SMOKE_PAIR])
        if isinstance(trial, GlossaError) and loaded is self._in_use().current:
            self._breakage = trial
            self._broke.set()

    async def _mend(self) -> None:
        """Puts a broken engine aside, lets it rest, and loads it again; longer rests if need be."""
        rest_s = FIRST_REST_S
        while True:
            waiting_since = time.monotonic()
            await self._broke.wait()
            self._broke.clear()
            if time.monotonic() - waiting_since > LONGEST_REST_S:
                rest_s = FIRST_REST_S
            settings = self._in_use().current.settings
            await self._put_aside(settings, rest_s)
            while not self.is_there:
                await asyncio.sleep(rest_s)
                rest_s = min(rest_s * 2, LONGEST_REST_S)
                if not self.is_there:  # nobody loaded another one meanwhile
                    await self._try_again(settings, rest_s)

    async def _put_aside(self, settings: QeSettings, rest_s: float) -> None:
        async def make() -> LoadedEngine:
            return await self._absent(
                self._breakage, settings, f"it is loaded again in {rest_s:g} s"
            )

        try:
            await self._in_use().replace(make)
        except WrongState:  # another model is being loaded, and will take its place
            log.warning("engine_broke_while_loading", engine=self.name)

    async def _try_again(self, settings: QeSettings, rest_s: float) -> None:
        try:
            await self._replace(settings)
        except GlossaError as error:
            log.error(
                "engine_still_missing",
                engine=self.name,
                reason=error.reason,
                message=error.message,
                next=f"it is loaded again in {rest_s:g} s",
            )

    async def _absent(
        self, error: GlossaError, settings: QeSettings, what_next: str
    ) -> LoadedEngine:
        metrics.ENGINE_MISSING.labels(self.name).set(1)
        await self._conditions.set(condition(self.name), [error.message])
        log.error(
            "engine_missing",
            engine=self.name,
            unset=self._signal_names,
            reason=error.reason,
            message=error.message,
            next=what_next,
        )
        return LoadedEngine(AbsentEngine(self.name, self._signal_names, error), settings)

    async def _tell_loaded(self, loaded: LoadedEngine) -> None:
        engine = loaded.engine
        metrics.ENGINE_MISSING.labels(self.name).set(0)
        await self._conditions.set(condition(self.name), [])
        metrics.LOADS.labels(self.name, "OK").inc()
        log.info(
            "engine_loaded", engine=engine.name, model=engine.model, signals=engine.signal_names
        )

    def _in_use(self) -> Swap[LoadedEngine]:
        if self._swap is None:
            raise Unavailable("NOT_READY", f"{self.name} is still loading", engine=self.name)
        return self._swap
