"""The gRPC face of qe: checks what comes in and hands it to the engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc
import structlog

from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.errors import GlossaError, InvalidInput, Unavailable
from services.qe import engine as engines
from services.qe import metrics
from services.qe.engine import Engine, Pair, Signal
from services.qe.queue import ScoreQueue, Scores
from services.qe.settings import QeSettings

log = structlog.get_logger()

MAX_PAIRS = 64
MAX_SOURCE_CHARACTERS = 2000
MAX_TARGET_CHARACTERS = 4000

Result = TypeVar("Result")


class QeApp:
    """qe as `services.serving.run` runs it."""

    name = "qe"
    service_names = ("glossa.qe.v1.QeService", "glossa.types.v1.ModelService")

    def __init__(self, settings: QeSettings) -> None:
        self._settings = settings
        self._engine: Engine | None = None
        self._queue: ScoreQueue | None = None
        self._draining = False

    def register(self, server: grpc.aio.Server) -> None:
        qe_pb2_grpc.add_QeServiceServicer_to_server(_QeServicer(self), server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(_ModelServicer(self), server)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        # One thread: an engine is never asked twice at once.
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qe-engine")

        def in_thread(work: Callable[[], Result]) -> asyncio.Future[Result]:
            return loop.run_in_executor(thread, work)

        try:
            engine = await in_thread(lambda: engines.load(engines.RULES, self._settings))
            try:

                def score(pairs: Sequence[Pair]) -> asyncio.Future[Scores]:
                    return in_thread(lambda: _timed(engine, pairs))

                queue = ScoreQueue(self._settings.queue_size, self._settings.max_batch_pairs, score)
                async with asyncio.TaskGroup() as tasks:
                    worker = tasks.create_task(queue.run())
                    self._engine, self._queue = engine, queue
                    log.info("engine_loaded", engine=engine.name, signals=engine.signal_names)
                    try:
                        yield
                    finally:
                        self._engine = self._queue = None
                        worker.cancel()
            finally:
                # In the engine's own thread: behind what it may still be doing.
                await in_thread(engine.close)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)

    async def drain(self) -> None:
        """Refuses what is new; what waits is finished while the server stops."""
        self._draining = True

    def ready(self) -> tuple[Engine, ScoreQueue]:
        """The engine and its queue. Raises Unavailable: NOT_READY, SHUTTING_DOWN."""
        if self._draining:
            raise Unavailable("SHUTTING_DOWN", "the service is shutting down")
        if self._engine is None or self._queue is None:
            raise Unavailable("NOT_READY", "the engine is still loading")
        return self._engine, self._queue


def _timed(engine: Engine, pairs: Sequence[Pair]) -> Scores:
    with metrics.ENGINE_SECONDS.time():
        scores = engine.score(pairs)
    metrics.PAIRS.inc(len(scores))
    for signal in (signal for score in scores for signal in score if signal.value is None):
        metrics.SIGNALS_MISSING.labels(signal.name).inc()
    return scores


class _QeServicer(qe_pb2_grpc.QeServiceServicer):
    def __init__(self, app: QeApp) -> None:
        self._app = app

    async def Score(
        self, request: qe_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> qe_pb2.ScoreResponse:
        outcome = "CANCELLED"
        try:
            _, queue = self._app.ready()
            scores = await queue.submit(_checked(request), context.time_remaining())
            outcome = "OK"
        except GlossaError as error:
            outcome = error.reason
            raise
        finally:
            metrics.REQUESTS.labels(outcome).inc()
        return qe_pb2.ScoreResponse(
            scores=[
                qe_pb2.PairScore(signals=[_message(signal) for signal in score]) for score in scores
            ]
        )


class _ModelServicer(models_pb2_grpc.ModelServiceServicer):
    def __init__(self, app: QeApp) -> None:
        self._app = app

    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.GetModelResponse:
        engine, _ = self._app.ready()
        return models_pb2.GetModelResponse(
            engine=engine.name, model=engine.model, capabilities=engine.signal_names
        )


def _checked(request: qe_pb2.ScoreRequest) -> list[Pair]:
    if not request.pairs:
        raise InvalidInput("NO_PAIRS", "there is no pair to score")
    if len(request.pairs) > MAX_PAIRS:
        raise InvalidInput(
            "TOO_MANY_PAIRS",
            f"{len(request.pairs)} pairs at once; send at most {MAX_PAIRS}",
            max_pairs=MAX_PAIRS,
        )
    for index, pair in enumerate(request.pairs):
        for field, text, limit in (
            ("source_text", pair.source_text, MAX_SOURCE_CHARACTERS),
            ("target_text", pair.target_text, MAX_TARGET_CHARACTERS),
        ):
            if not text.strip():
                raise InvalidInput("EMPTY_TEXT", f"{field} of pair {index} is empty", pair=index)
            if len(text) > limit:
                raise InvalidInput(
                    "TEXT_TOO_LONG",
                    f"{field} of pair {index} has {len(text)} characters; at most {limit}",
                    pair=index,
                    max_characters=limit,
                )
    return [
        Pair(
            pair.source_text,
            pair.target_text,
            _primary(pair.source_language),
            _primary(pair.target_language),
        )
        for pair in request.pairs
    ]


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


def _message(signal: Signal) -> types_pb2.Signal:
    return types_pb2.Signal(name=signal.name, value=signal.value, model=signal.model)
