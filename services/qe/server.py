"""The gRPC face of qe: checks what comes in and hands it to the engines."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable

import grpc

from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services import traces
from services.conditions import Conditions
from services.errors import GlossaError, InvalidInput, Unavailable
from services.model_files import check_requested
from services.qe import metrics
from services.qe.absent import AbsentEngine
from services.qe.engine import Engine, Pair, Signal, chosen
from services.qe.settings import QeSettings
from services.qe.tier import condition
from services.qe.tiers import LEARNED_TIER, Tiers, tier_name

MAX_PAIRS = 64
MAX_SOURCE_CHARACTERS = 2000
MAX_TARGET_CHARACTERS = 4000


class QeApp:
    """qe as `services.serving.run` runs it."""

    name = "qe"
    service_names = ("glossa.qe.v1.QeService", "glossa.types.v1.ModelService")

    def __init__(self, settings: QeSettings) -> None:
        self._settings = settings
        self.conditions = Conditions(*map(condition, chosen(settings)))
        self._tiers: Tiers | None = None
        self._draining = False

    def register(self, server: grpc.aio.Server) -> None:
        qe_pb2_grpc.add_QeServiceServicer_to_server(_QeServicer(self), server)
        models_pb2_grpc.add_ModelServiceServicer_to_server(_ModelServicer(self), server)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tiers = Tiers(self._settings, self.conditions)
        async with tiers.running():
            self._tiers = tiers
            try:
                yield
            finally:
                self._tiers = None

    async def drain(self) -> None:
        """Refuses what is new; what waits is finished while the server stops."""
        self._draining = True

    def tiers(self) -> Tiers:
        """The engines once they are ready. Raises Unavailable: NOT_READY, SHUTTING_DOWN."""
        if self._draining:
            raise Unavailable("SHUTTING_DOWN", "the service is shutting down")
        if self._tiers is None:
            raise Unavailable("NOT_READY", "the engine is still loading")
        return self._tiers

    def check_model(self, model: str) -> str:
        """A model that may be loaded on request. Raises InvalidInput: MODEL_MISSING."""
        return check_requested(model, self._settings.models_dir)


class _QeServicer(qe_pb2_grpc.QeServiceServicer):
    def __init__(self, app: QeApp) -> None:
        self._app = app

    async def Score(
        self, request: qe_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> qe_pb2.ScoreResponse:
        outcome = "CANCELLED"
        try:
            with traces.span("qe score", traces.of_call(context.invocation_metadata())) as span:
                scores = await self._app.tiers().score(_checked(request), context.time_remaining())
                span.set(models=_models(scores))
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
        tiers = self._app.tiers()
        told = [_tier_model(tier_name(tier.name), tier.engine) for tier in tiers.all]
        return models_pb2.GetModelResponse(
            engine=told[0].engine,
            model=told[0].model,
            capabilities=tiers.signal_names,
            tiers=told,
        )

    async def LoadModel(
        self, request: models_pb2.LoadModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.LoadModelResponse:
        tier = self._app.tiers().replaceable(request.tier, request.engine)
        done = await tier.load(self._app.check_model(request.model))
        return models_pb2.LoadModelResponse(
            current=_tier_model(LEARNED_TIER, done.current),
            previous=_tier_model(LEARNED_TIER, done.previous),
            load_ms=done.load_ms,
        )

    async def Rollback(
        self, request: models_pb2.RollbackRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.RollbackResponse:
        done = await self._app.tiers().replaceable(request.tier).roll_back()
        return models_pb2.RollbackResponse(
            current=_tier_model(LEARNED_TIER, done.current),
            previous=_tier_model(LEARNED_TIER, done.previous),
            load_ms=done.load_ms,
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
            ("independent_text", pair.independent_text, MAX_TARGET_CHARACTERS),
        ):
            if not text.strip() and field != "independent_text":
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
            target_model=pair.target_model,
            independent_text=pair.independent_text.strip(),
            independent_model=pair.independent_model,
            required_terms=_terms(pair.required_terms),
            missing_terms=_terms(pair.missing_terms),
        )
        for pair in request.pairs
    ]


def _terms(terms: Iterable[types_pb2.GlossaryTerm]) -> tuple[tuple[str, str], ...]:
    return tuple((term.source, term.target) for term in terms)


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()


def _models(scores: Iterable[Iterable[Signal]]) -> str:
    """Who measured, each once."""
    return ",".join(dict.fromkeys(each.model for score in scores for each in score if each.model))


def _message(signal: Signal) -> types_pb2.Signal:
    return types_pb2.Signal(name=signal.name, value=signal.value, model=signal.model)


def _tier_model(tier: str, engine: Engine) -> models_pb2.TierModel:
    # What is missing has no model; what its signals say tells why.
    model = "" if isinstance(engine, AbsentEngine) else engine.model
    return models_pb2.TierModel(tier=tier, engine=engine.name, model=model)
