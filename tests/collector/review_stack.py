"""A real gateway with its peers, a real Redis and a real collector: what a review goes through."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc

from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from glossa.gateway.v1 import gateway_pb2
from glossa.mt.v1 import mt_pb2
from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from glossa.types.v1 import types_pb2
from services.settings import port
from tests.collector.redis_process import RedisProcess
from tests.gateway.conftest import Stack as GatewayStack
from tests.gateway.peers import Mt, sermon, started
from tests.processes import ServiceProcess, free_port_base

WAIT_S = 30.0
_OWN = ("mt", "qe")  # peers that this stack has instead of the gateway's tests' own


def translated(text: str) -> str:
    """What the mt of this stack makes of a sentence of its stt."""
    return f"La frase {text.split()[1]} fue dicha"


class _Mt(Mt):
    def _answer(self, request: mt_pb2.TranslateRequest) -> mt_pb2.TranslateResponse:
        answer = super()._answer(request)
        answer.text = translated(request.text)
        return answer


class _DoubtfulQe(qe_pb2_grpc.QeServiceServicer):
    async def Score(
        self, request: qe_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> qe_pb2.ScoreResponse:
        signal = types_pb2.Signal(name="heuristic_quality", value=0.6, model="rule/doubt")
        return qe_pb2.ScoreResponse(
            scores=[qe_pb2.PairScore(signals=[signal]) for _ in request.pairs]
        )


class ReviewStack:
    """All of it, from audio in to corrected pairs out. Every pair waits for review."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self._base = free_port_base()
        addresses = {f"{role}_address": f"127.0.0.1:{port(role, self._base)}" for role in _OWN}
        self.gateway = GatewayStack(folder, **addresses)
        for role in _OWN:
            del self.gateway.peers[role]
        self._peers: list[grpc.aio.Server] = []
        self._folder = folder
        self._settings = settings
        self.redis = RedisProcess(port("redis", self._base), folder / "redis")
        self.collector = self._new_collector(self._base)
        self._others: list[ServiceProcess] = []
        self._channels: list[grpc.aio.Channel] = []
        self.calls: collector_pb2_grpc.CollectorServiceStub

    def _new_collector(self, base: int) -> ServiceProcess:
        return ServiceProcess(
            "collector",
            base,
            self._folder,
            gateway_address=self.gateway.gateway.address,
            redis_url=self.redis.url,
            web_port=port("collector_web", base),
            **self._settings,
        )

    async def start(self) -> None:
        self.redis.start()
        for role, servicer in zip(_OWN, (_Mt(), _DoubtfulQe()), strict=True):
            self._peers.append(await started(role, port(role, self._base), servicer))
        await self.gateway.start()
        self.collector.start()
        await self.collector.wait_ready()
        self.calls = self.connect(self.collector)

    async def another_collector(self) -> collector_pb2_grpc.CollectorServiceStub:
        """One more collector on the same Redis and gateway."""
        collector = self._new_collector(free_port_base())
        self._others.append(collector)
        collector.start()
        await collector.wait_ready()
        return self.connect(collector)

    def connect(self, collector: ServiceProcess) -> collector_pb2_grpc.CollectorServiceStub:
        channel = grpc.aio.insecure_channel(collector.address)
        self._channels.append(channel)
        return collector_pb2_grpc.CollectorServiceStub(channel)

    async def stop(self) -> None:
        for channel in self._channels:
            await channel.close()
        for collector in (self.collector, *self._others):
            collector.kill()
        await self.gateway.stop()
        for peer in self._peers:
            await peer.stop(0)
        self.redis.kill()

    async def preach(self, sentences: int, **config: object) -> str:
        """A whole session of which every pair waits for review; its id."""
        session_id = await self.gateway.speak(sermon(range(1, sentences + 1)), **config)
        await self.gateway.scored_events(session_id, sentences)
        async with asyncio.timeout(WAIT_S):
            while (await self.progress(session_id)).open_count < sentences:
                await asyncio.sleep(0.02)
        return session_id

    async def lease(
        self, reviewer: str, session_id: str = "", pair_id: str = ""
    ) -> collector_pb2.LeaseReviewResponse:
        request = collector_pb2.LeaseReviewRequest(
            reviewer=reviewer, session_id=session_id, pair_id=pair_id
        )
        return await self.calls.LeaseReview(request, timeout=10)

    async def submit(
        self,
        lease_id: str,
        decision: int,
        source_text: str = "",
        target_text: str = "",
        **shown: str,
    ) -> collector_pb2.SubmitReviewResponse:
        request = collector_pb2.SubmitReviewRequest(
            lease_id=lease_id,
            decision=decision,
            source_text=source_text,
            target_text=target_text,
            **shown,
        )
        return await self.calls.SubmitReview(request, timeout=20)

    async def undo(self, reviewer: str) -> collector_pb2.UndoReviewResponse:
        return await self.calls.UndoReview(
            collector_pb2.UndoReviewRequest(reviewer=reviewer), timeout=20
        )

    async def progress(self, session_id: str = "") -> collector_pb2.ReviewProgress:
        request = collector_pb2.ListForReviewRequest(session_id=session_id, page_size=1)
        return (await self.calls.ListForReview(request, timeout=10)).progress

    async def until_reviewed(self, session_id: str, count: int) -> None:
        """Waits until the collector has read so many standing decisions in the journal."""
        async with asyncio.timeout(WAIT_S):
            while (await self.progress(session_id)).reviewed_count != count:
                await asyncio.sleep(0.02)

    def corrected(self, session_id: str) -> list[dict[str, str]]:
        """The entries of the stream, oldest first."""
        return [
            fields
            for _, fields in self.redis.client.xrange("glossa:pairs:corrected")
            if fields["session_id"] == session_id
        ]

    async def journalled(self, session_id: str, kind: str) -> list[gateway_pb2.JournalEvent]:
        events = await self.gateway.events(session_id)
        return [event for event in events if event.WhichOneof("event") == kind]
