"""ModelService of stt on gRPC: which models are in use, and replacing them while they are."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.stt.tiers import ModelInUse, Tiers


class ModelServicer(models_pb2_grpc.ModelServiceServicer):
    """ModelService over the tiers.

    Args:
        tiers: gives them; raises Unavailable (NOT_READY, SHUTTING_DOWN).
    """

    def __init__(self, tiers: Callable[[], Tiers]) -> None:
        self._tiers = tiers

    async def GetModel(
        self, request: models_pb2.GetModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.GetModelResponse:
        tiers = self._tiers()
        final = tiers.in_use[0]
        return models_pb2.GetModelResponse(
            engine=final.engine,
            model=final.model,
            capabilities=tiers.final.current.capabilities.languages,
            tiers=[_tier_model(model) for model in tiers.in_use],
        )

    async def LoadModel(
        self, request: models_pb2.LoadModelRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.LoadModelResponse:
        done = await self._tiers().load(request.tier, request.engine, request.model)
        return models_pb2.LoadModelResponse(
            current=_tier_model(done.current),
            previous=_tier_model(done.previous),
            load_ms=done.load_ms,
        )

    async def Rollback(
        self, request: models_pb2.RollbackRequest, context: grpc.aio.ServicerContext
    ) -> models_pb2.RollbackResponse:
        done = await self._tiers().rollback(request.tier)
        return models_pb2.RollbackResponse(
            current=_tier_model(done.current),
            previous=_tier_model(done.previous),
            load_ms=done.load_ms,
        )


def _tier_model(model: ModelInUse) -> models_pb2.TierModel:
    return models_pb2.TierModel(tier=model.tier, engine=model.engine, model=model.model)
