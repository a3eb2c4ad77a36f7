"""An engine that is loaded, with the one thread that may use it."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import structlog

from services.errors import EngineFailed, GlossaError
from services.qe import engine as engines
from services.qe import metrics
from services.qe.engine import Engine, Pair, Signal
from services.qe.settings import QeSettings
from services.runtime_failures import as_engine_failed

log = structlog.get_logger()

Measured = tuple[Signal, ...] | GlossaError

# While transformers reads one model's weights, every module that is made anywhere in the process is
# made without any: another model that is loaded then cannot be used ("Cannot copy out of meta
# tensor"), or, worse, can.
_one_at_a_time = threading.Lock()


class LoadedEngine:
    """One engine; made by `load` or around one that needs no loading, ended by `close`.

    Args:
        settings: what it was loaded with.
    """

    def __init__(
        self, engine: Engine, settings: QeSettings, thread: ThreadPoolExecutor | None = None
    ) -> None:
        self.engine = engine
        self.settings = settings
        self._thread = thread or _thread_of(engine.name)

    @classmethod
    async def load(cls, name: str, settings: QeSettings) -> LoadedEngine:
        """Loads it in a thread of its own; cancelled, it is closed as soon as it is there.

        Raises:
            GlossaError: what loader and library say; EngineFailed for anything else.
        """
        thread = _thread_of(name)
        loading = thread.submit(lambda: _load(name, settings))
        try:
            return cls(await asyncio.wrap_future(loading), settings, thread)
        except BaseException:
            loading.add_done_callback(_close_unused)
            thread.shutdown(wait=False)
            raise

    async def score(self, pairs: Sequence[Pair]) -> list[Measured]:
        """The signals of each pair, or the error that it met; one bad pair spoils no other."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._timed(pairs))

    def close(self) -> None:
        """Blocks until what the engine is doing is done and it is closed."""
        try:
            self._thread.submit(self.engine.close).result()
        finally:
            self._thread.shutdown(wait=False)

    def _timed(self, pairs: Sequence[Pair]) -> list[Measured]:
        """In the engine's thread, as everything below."""
        with metrics.ENGINE_SECONDS.labels(self.engine.name).time():
            measured = self._score(pairs)
        metrics.PAIRS.labels(self.engine.name).inc(len(measured))
        return measured

    def _score(self, pairs: Sequence[Pair]) -> list[Measured]:
        """A batch that failed is measured again in halves."""
        half = len(pairs) // 2
        try:
            return list(self._called(pairs))
        except GlossaError as error:
            if not half:
                return [error]
        # Outside of the handler: the error holds what the engine had in hand, memory included.
        return [*self._score(pairs[:half]), *self._score(pairs[half:])]

    def _called(self, pairs: Sequence[Pair]) -> list[tuple[Signal, ...]]:
        with as_engine_failed("quality engine", self.engine.name, "measure a pair"):
            scores = self.engine.score(pairs)
        if len(scores) != len(pairs):
            raise EngineFailed(
                f"{self.engine.name} gave {len(scores)} results for {len(pairs)} pairs",
                engine=self.engine.name,
            )
        return [tuple(_checked(signal) for signal in score) for score in scores]


def _checked(signal: Signal) -> Signal:
    if signal.value is None or (math.isfinite(signal.value) and 0.0 <= signal.value <= 1.0):
        return signal
    log.error("signal_out_of_range", signal=signal.name, value=signal.value, model=signal.model)
    return replace(signal, value=None, model=f"{signal.model}: OUT_OF_RANGE")


def _thread_of(name: str) -> ThreadPoolExecutor:
    # One thread: an engine is never asked twice at once.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"qe-{name}")


def _load(name: str, settings: QeSettings) -> Engine:
    with _one_at_a_time, as_engine_failed("quality engine", name, "load its model"):
        return engines.load(name, settings)


def _close_unused(loading: Future[Engine]) -> None:
    if not loading.cancelled() and loading.exception() is None:
        loading.result().close()
