"""The asyncio face of an engine: worker threads, queue figures and metrics.

Finals have their own threads, so they never wait behind partials; live decoders share one: they
share one process, or are re-decoding, of which one at a time is enough. How much can be queued is
bounded by the sessions: each has at most `session.PENDING_FINALS` finals and one partial under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import prometheus_client

from services.errors import EngineFailed
from services.stt.engine import Capabilities, Decoding, Engine, Hypothesis, LiveDecoder, Samples
from services.stt.redecoding import Redecoder

ENGINE_SECONDS = prometheus_client.Histogram(
    "glossa_stt_engine_seconds",
    "Time a decode took in the engine, waiting not included.",
    ["kind"],
    buckets=(0.01, 0.03, 0.1, 0.3, 0.6, 1, 2, 4, 8, 16),
)
QUEUE_SECONDS = prometheus_client.Histogram(
    "glossa_stt_engine_queue_seconds",
    "Time a final waited for the engine.",
    buckets=(0.001, 0.01, 0.1, 0.3, 1, 3, 10, 30),
)
QUEUE_DEPTH = prometheus_client.Gauge(
    "glossa_stt_queue_depth", "Decodes waiting or running.", ["kind"]
)
ENGINE_FAILURES = prometheus_client.Counter(
    "glossa_stt_engine_failures_total", "Decodes lost because the engine broke.", ["kind"]
)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Recognition:
    """A final and what it cost, in milliseconds; `engine_ms` includes `queue_ms`."""

    hypothesis: Hypothesis
    engine_ms: float
    queue_ms: float


class Recogniser:
    """Runs one engine for all streams.

    Args:
        final_workers: finals decoded at once.
        live_decoders: streams that get partials at once.
    """

    def __init__(self, engine: Engine, *, final_workers: int, live_decoders: int) -> None:
        self._engine = engine
        self._final_workers = final_workers
        self._finals_pending = 0
        self._free_redecoders = live_decoders
        self._finals = ThreadPoolExecutor(final_workers, "stt-final")
        self._live = ThreadPoolExecutor(1, "stt-live")

    @property
    def engine_name(self) -> str:
        return self._engine.name

    @property
    def model_name(self) -> str:
        return self._engine.model

    @property
    def label(self) -> str:
        """Engine and model, as transcripts name them."""
        return f"{self._engine.name}/{self._engine.model}"

    @property
    def has_finals(self) -> bool:
        """Whether finals are decoded or wait."""
        return self._finals_pending > 0

    @property
    def has_waiting_finals(self) -> bool:
        """Whether finals wait for their turn."""
        return self._finals_pending > self._final_workers

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    async def transcribe(self, samples: Samples, decoding: Decoding) -> Recognition:
        """Decodes one segment; first come, first served. Raises EngineFailed."""
        submitted_at = time.monotonic()

        def decode() -> tuple[float, Hypothesis]:
            started_at = time.monotonic()
            return started_at, self._engine.transcribe(samples, decoding)

        self._finals_pending += 1
        try:
            started_at, hypothesis = await self._run("final", self._finals, decode)
        finally:
            self._finals_pending -= 1
        ended_at = time.monotonic()
        ENGINE_SECONDS.labels("final").observe(ended_at - started_at)
        QUEUE_SECONDS.observe(started_at - submitted_at)
        return Recognition(
            hypothesis, (ended_at - submitted_at) * 1000, (started_at - submitted_at) * 1000
        )

    @contextlib.asynccontextmanager
    async def live(self, decoding: Decoding) -> AsyncIterator[LivePartials | None]:
        """A stream's live decoder; None when the engine has none free. Raises EngineFailed."""
        if self._engine.capabilities.live_decoders == 0:
            if not self._free_redecoders:
                yield None
                return
            self._free_redecoders -= 1
            try:
                yield LivePartials(self, Redecoder(self._engine, decoding), redecodes=True)
            finally:
                self._free_redecoders += 1
            return
        opening = self._live.submit(self._engine.open_live, decoding)
        try:
            decoder = await asyncio.wrap_future(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)  # it may be open by now, with no owner
            raise
        if decoder is None:
            yield None
            return
        try:
            yield LivePartials(self, decoder, redecodes=False)
        finally:
            # Behind a decode that may still run for a stream that is gone; nobody waits for it.
            with contextlib.suppress(RuntimeError):  # the service is stopping: all is closed
                self._live.submit(decoder.close)

    async def run_live(self, work: Callable[..., Result], *args: object) -> Result:
        started_at = time.monotonic()
        result = await self._run("partial", self._live, work, *args)
        ENGINE_SECONDS.labels("partial").observe(time.monotonic() - started_at)
        return result

    async def _run(
        self,
        kind: str,
        executor: ThreadPoolExecutor,
        work: Callable[..., Result],
        *args: object,
    ) -> Result:
        QUEUE_DEPTH.labels(kind).inc()
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, work, *args)
        except EngineFailed:
            ENGINE_FAILURES.labels(kind).inc()
            raise
        finally:
            QUEUE_DEPTH.labels(kind).dec()

    def close(self) -> None:
        """Ends the engine; decodes that wait are dropped."""
        self._finals.shutdown(wait=False, cancel_futures=True)
        self._live.shutdown(wait=False, cancel_futures=True)
        self._engine.close()


def _close_unused(opening: Future[LiveDecoder | None]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        decoder = opening.result()
        if decoder is not None:
            decoder.close()


class LivePartials:
    """One stream's live decoder.

    Args:
        redecodes: whether each step decodes the whole segment so far: a step can then be left out.
    """

    def __init__(self, recogniser: Recogniser, decoder: LiveDecoder, *, redecodes: bool) -> None:
        self._recogniser = recogniser
        self._decoder = decoder
        self.redecodes = redecodes

    async def start(self, decoding: Decoding) -> None:
        """Begins a segment. Raises EngineFailed."""
        await self._recogniser.run_live(self._decoder.start, decoding)

    async def feed(self, samples: Samples) -> Hypothesis:
        """The segment so far. Raises EngineFailed."""
        return await self._recogniser.run_live(self._decoder.feed, samples)
