"""The collector's gRPC face: what has been collected, and the pairs themselves."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Sequence

import grpc

from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from services.audio import MAX_CHUNK_BYTES
from services.collector.follower import Follower
from services.collector.judging import judge
from services.collector.pair_keys import CORRECTED, STREAMS
from services.collector.pair_message import BAND_NUMBERS, STREAM_NUMBERS, pair_message
from services.collector.queues import Queues
from services.collector.reports import Reports
from services.collector.review import Reviews
from services.collector.review_server import ReviewServicer
from services.collector.settings import CollectorSettings
from services.collector.upkeep import QUEUE_CONDITION, Upkeep
from services.collector.web import ReviewSite
from services.conditions import Conditions
from services.errors import InvalidInput

_STREAMS = {number: name for name, number in STREAM_NUMBERS.items()}


class CollectorApp:
    """Serving as soon as it listens. The gateway and Redis may be away: both are waited for."""

    name = "collector"
    service_names: tuple[str, ...] = ("glossa.collector.v1.CollectorService",)

    def __init__(self, settings: CollectorSettings) -> None:
        url, timeout_s = settings.redis_url_with_password(), settings.redis_timeout_s
        # Two clients: an export must not stand in the way of a write.
        self._writing, self._reading = Queues.open(url, timeout_s), Queues.open(url, timeout_s)
        judge_pair = functools.partial(
            judge,
            weights=settings.weights(),
            thresholds=settings.thresholds(),
            calibration=settings.calibration,
        )
        self.conditions = Conditions(QUEUE_CONDITION)
        upkeep = Upkeep(self._writing, settings, self.conditions)
        self._reports = Reports(settings.reports_dir)
        self._follower = Follower(self._writing, upkeep, judge_pair, self._reports, settings)
        self._reviews = Reviews.open(settings, lambda: self._follower.journal_id)
        self._site = ReviewSite(self._reviews, settings)

    def register(self, server: grpc.aio.Server) -> None:
        collector_pb2_grpc.add_CollectorServiceServicer_to_server(
            CollectorServicer(self._reading, self._follower, self._reviews, self._reports), server
        )

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        try:
            async with self._site.serving(), asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(work) for work in (self._follower.run(), self._reports.run())
                ]
                try:
                    yield
                finally:
                    for task in running:
                        task.cancel()
        finally:
            await self._writing.close()
            await self._reading.close()
            await self._reviews.close()

    async def drain(self) -> None:
        """Exports end by themselves; what is not in Redis yet is in the journal."""


class CollectorServicer(ReviewServicer):
    def __init__(
        self, queues: Queues, follower: Follower, reviews: Reviews, reports: Reports
    ) -> None:
        super().__init__(reviews)
        self._queues = queues
        self._follower = follower
        self._reports = reports

    async def Stats(
        self, request: collector_pb2.StatsRequest, context: grpc.aio.ServicerContext
    ) -> collector_pb2.StatsResponse:
        journal_id = self._follower.journal_id
        counts = await self._queues.counts(request.session_id)
        lengths = await self._queues.lengths()
        response = collector_pb2.StatsResponse(
            journal_id=journal_id,
            cursor_sequence=await self._queues.cursor(journal_id) if journal_id else 0,
            exclusions=[
                collector_pb2.ExclusionCount(reason=reason, pair_count=number)
                for reason, number in counts.exclusions.items()
            ],
            queue_risks=(await self._queues.risks()).values(),
            open_review_count=await self._queues.open_review_count(request.session_id),
        )
        for band, number in BAND_NUMBERS.items():
            response.counts.add(
                band=number, pair_count=counts.bands[band], queue_length=lengths[band]
            )
        response.counts.add(
            band=collector_pb2.BAND_CORRECTED,
            pair_count=counts.corrected,
            queue_length=lengths[CORRECTED],
        )
        response.counts.add(band=collector_pb2.BAND_EXCLUDED, pair_count=counts.excluded)
        if advice := self._follower.accepted_share.advice:
            response.notes.append(advice)
        return response

    async def ExportPairs(
        self, request: collector_pb2.ExportPairsRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[collector_pb2.ExportPairsResponse]:
        streams = _streams(request.bands)
        limit = request.newest if request.newest > 0 else None
        read = self._queues.oldest_first if limit is None else self._queues.newest_first
        sent = 0
        async with contextlib.aclosing(read(streams, request.session_id)) as pairs:
            async for pair in pairs:
                yield collector_pb2.ExportPairsResponse(pair=pair_message(pair))
                sent += 1
                if sent == limit:
                    return

    async def MakeReport(
        self, request: collector_pb2.MakeReportRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[collector_pb2.MakeReportResponse]:
        for name, content in (await self._reports.files(request.session_id)).items():
            for start in range(0, len(content), MAX_CHUNK_BYTES):
                yield collector_pb2.MakeReportResponse(
                    file_name=name, data=content[start : start + MAX_CHUNK_BYTES]
                )


def _streams(numbers: Sequence[collector_pb2.Band]) -> list[str]:
    """Raises InvalidInput INVALID_BAND."""
    if not numbers or not set(numbers) <= _STREAMS.keys():
        raise InvalidInput(
            "INVALID_BAND",
            f"name one or more of {', '.join(STREAMS)}; excluded pairs have no entries",
        )
    return [_STREAMS[number] for number in numbers]
