"""The review over gRPC: messages in, `Reviews`, messages out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import grpc
from google.protobuf import timestamp_pb2

from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from services.audio import MAX_CHUNK_BYTES
from services.collector.pair_message import DECISION_NUMBERS, pair_message
from services.collector.review import DEFAULT_LISTED, ReviewItem, Reviews
from services.collector.review_queue import Progress
from services.errors import InvalidInput

_DECISIONS = {number: decision for decision, number in DECISION_NUMBERS.items()}


class ReviewServicer(collector_pb2_grpc.CollectorServiceServicer):
    """The part of CollectorService that reviewers call."""

    def __init__(self, reviews: Reviews) -> None:
        self._reviews = reviews

    async def ListForReview(
        self, request: collector_pb2.ListForReviewRequest, context: grpc.aio.ServicerContext
    ) -> collector_pb2.ListForReviewResponse:
        items, progress = await self._reviews.list(
            request.session_id, request.page_size or DEFAULT_LISTED
        )
        return collector_pb2.ListForReviewResponse(
            items=map(_item_message, items), progress=_progress_message(progress)
        )

    async def LeaseReview(
        self, request: collector_pb2.LeaseReviewRequest, context: grpc.aio.ServicerContext
    ) -> collector_pb2.LeaseReviewResponse:
        item, progress = await self._reviews.lease(
            request.reviewer, request.session_id, request.pair_id
        )
        return collector_pb2.LeaseReviewResponse(
            item=None if item is None else _item_message(item),
            progress=_progress_message(progress),
        )

    async def RenewReview(
        self, request: collector_pb2.RenewReviewRequest, context: grpc.aio.ServicerContext
    ) -> collector_pb2.RenewReviewResponse:
        expires = await self._reviews.renew(request.lease_id)
        return collector_pb2.RenewReviewResponse(lease_expire_time=_timestamp(expires))

    async def ReleaseReview(
        self, request: collector_pb2.ReleaseReviewRequest, context: grpc.aio.ServicerContext
    ) -> collector_pb2.ReleaseReviewResponse:
        await self._reviews.release(request.lease_id, skip=request.skip)
        return collector_pb2.ReleaseReviewResponse()

    async def SubmitReview(
        self, request: collector_pb2.SubmitReviewRequest, context: grpc.aio.ServicerContext
    ) -> collector_pb2.SubmitReviewResponse:
        decision = _DECISIONS.get(request.decision)
        if decision is None:
            raise InvalidInput("INVALID_DECISION", "accept, fix or reject the pair")
        sequence, progress = await self._reviews.submit(
            request.lease_id,
            decision,
            request.source_text,
            request.target_text,
            shown_source_text=request.shown_source_text,
            shown_target_text=request.shown_target_text,
        )
        return collector_pb2.SubmitReviewResponse(
            sequence=sequence, progress=_progress_message(progress)
        )

    async def UndoReview(
        self, request: collector_pb2.UndoReviewRequest, context: grpc.aio.ServicerContext
    ) -> collector_pb2.UndoReviewResponse:
        item, progress = await self._reviews.undo(request.reviewer)
        return collector_pb2.UndoReviewResponse(
            item=None if item is None else _item_message(item),
            progress=_progress_message(progress),
        )

    async def FetchReviewAudio(
        self, request: collector_pb2.FetchReviewAudioRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[collector_pb2.FetchReviewAudioResponse]:
        wav = await self._reviews.audio(request.pair_id)
        for first in range(0, len(wav), MAX_CHUNK_BYTES):
            yield collector_pb2.FetchReviewAudioResponse(data=wav[first : first + MAX_CHUNK_BYTES])


def _item_message(item: ReviewItem) -> collector_pb2.ReviewItem:
    machine, lease = item.open.machine, item.open.lease
    shown = replace(
        machine.pair, source_text=item.open.source_text, target_text=item.open.target_text
    )
    return collector_pb2.ReviewItem(
        pair=pair_message(replace(machine, pair=shown)),
        priority=item.open.priority,
        reasons=item.reasons,
        lease_id="" if lease is None else lease.lease_id,
        lease_expire_time=None if lease is None else _timestamp(lease.expires),
        has_audio=item.has_audio,
    )


def _progress_message(progress: Progress) -> collector_pb2.ReviewProgress:
    return collector_pb2.ReviewProgress(
        open_count=progress.open_count,
        leased_count=progress.leased_count,
        reviewed_count=progress.reviewed_count,
    )


def _timestamp(time: datetime) -> timestamp_pb2.Timestamp:
    message = timestamp_pb2.Timestamp()
    message.FromDatetime(time)
    return message
