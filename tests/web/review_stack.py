"""What the review page needs: a real gateway, Redis and collector, and models that say lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.mt.v1 import mt_pb2
from glossa.qe.v1 import qe_pb2
from glossa.stt.v1 import stt_pb2
from glossa.types.v1 import types_pb2
from services.channels import open_channel
from services.collector.pair_keys import cursor_key
from services.settings import port
from tests.collector.redis_process import RedisProcess
from tests.gateway.conftest import audio, drained, open_stream
from tests.gateway.peers import Mt, Qe, Stt, sermon, started
from tests.processes import ServiceProcess, free_port_base
from tests.speech import chunks

DOUBTFUL = {"translation_qe": 0.55, "marian_agreement": 0.6}
CORRECTED_STREAM = "glossa:pairs:corrected"


@dataclass(frozen=True)
class Line:
    """A sentence as it is recognised, translated and measured: doubtful unless said otherwise."""

    source: str
    target: str
    signals: Mapping[str, float] = field(default_factory=lambda: DOUBTFUL)
    missing_terms: Sequence[tuple[str, str]] = ()


class ReviewStack:
    def __init__(self, folder: Path, lines: Sequence[Line], **collector: object) -> None:
        """`collector` are settings of the collector."""
        base = free_port_base()
        self._base = base
        self._lines = lines
        self.url = f"http://127.0.0.1:{port('collector_web', base)}"
        self.redis = RedisProcess(port("redis", base), folder / "redis")
        peers = {role: f"127.0.0.1:{port(role, base)}" for role in ("stt", "mt", "qe")}
        self._gateway = ServiceProcess(
            "gateway",
            base,
            folder,
            state_dir=folder / "gateway",
            **{f"{role}_address": address for role, address in peers.items()},
        )
        self.collector = ServiceProcess(
            "collector",
            base,
            folder,
            gateway_address=self._gateway.address,
            redis_url=self.redis.url,
            redis_timeout_s=1,
            **collector,
        )
        self._peers: list[grpc.aio.Server] = []

    async def start(self) -> None:
        self._channel = open_channel(self._gateway.address)
        self.gateway = gateway_pb2_grpc.GatewayServiceStub(self._channel)
        self.redis.start()
        servicers = {"stt": _Stt(self._lines), "mt": _Mt(self._lines), "qe": _Qe(self._lines)}
        for role, servicer in servicers.items():
            self._peers.append(await started(role, port(role, self._base), servicer))
        self._gateway.start()
        self.collector.start()
        await asyncio.gather(self._gateway.wait_ready(), self.collector.wait_ready())

    async def stop(self) -> None:
        await self._channel.close()
        self.collector.kill()
        self._gateway.kill()
        for peer in self._peers:
            await peer.stop(0)
        self.redis.kill()

    async def speak(self, **config: object) -> str:
        """Says all lines and waits until those of them that are doubtful wait for review."""
        call = self.gateway.StreamAudio(timeout=60)
        session_id = (await open_stream(call, **config)).session_id
        for first_sample, data in chunks(sermon(range(1, len(self._lines) + 1))):
            await call.write(audio(first_sample, data))
        await call.done_writing()
        await drained(call)
        async with asyncio.timeout(30):
            while self.open_count() < len(self._lines):
                await asyncio.sleep(0.05)
        return session_id

    def open_count(self) -> int:
        return int(self.redis.client.zcard("glossa:review:open"))

    def corrected(self) -> list[dict[str, str]]:
        """The entries of the corrected stream, oldest first."""
        return [fields for _, fields in self.redis.client.xrange(CORRECTED_STREAM)]

    async def corrected_after(self, count: int) -> list[dict[str, str]]:
        """The corrected stream once it has `count` entries."""
        async with asyncio.timeout(20):
            while len(entries := self.corrected()) < count:
                await asyncio.sleep(0.05)
        return entries

    async def collected_to_the_end(self) -> None:
        """Waits until Redis has what the journal has now."""
        responses = await self._journal()
        last = max(response.event.sequence for response in responses)
        key = cursor_key(responses[0].journal_id)
        async with asyncio.timeout(20):
            while int(self.redis.client.get(key) or 0) < last:
                await asyncio.sleep(0.02)

    async def journalled(self, kind: str) -> list[gateway_pb2.JournalEvent]:
        """The journal's events of one kind."""
        events = [response.event for response in await self._journal()]
        return [event for event in events if event.WhichOneof("event") == kind]

    async def _journal(self) -> list[gateway_pb2.FollowResponse]:
        call = gateway_pb2_grpc.JournalServiceStub(self._channel).Follow(
            gateway_pb2.FollowRequest(until_now=True), timeout=20
        )
        return [response async for response in call]


class _Stt(Stt):
    """Says line 7 where the rule would say sentence 7."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines

    async def StreamingTranscribe(
        self,
        requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[stt_pb2.StreamingTranscribeResponse]:
        async for response in super().StreamingTranscribe(requests, context):
            if response.transcript.is_final:
                number = int(response.transcript.stable_text.split()[1])
                response.transcript.stable_text = self._lines[number - 1].source
            yield response


class _Mt(Mt):
    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__()
        self._by_source = {line.source: line for line in lines}

    async def StreamTranslate(
        self, request: mt_pb2.StreamTranslateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[mt_pb2.StreamTranslateResponse]:
        line = self._by_source[request.request.text]
        terms = [types_pb2.GlossaryTerm(source=s, target=t) for s, t in line.missing_terms]
        answer = mt_pb2.TranslateResponse(
            text=line.target, model="rule/lines", required_terms=terms, missing_terms=terms
        )
        yield mt_pb2.StreamTranslateResponse(translation=answer, is_final=True)


class _Qe(Qe):
    def __init__(self, lines: Sequence[Line]) -> None:
        self._by_source = {line.source: line for line in lines}

    async def Score(
        self, request: qe_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> qe_pb2.ScoreResponse:
        return qe_pb2.ScoreResponse(
            scores=[
                qe_pb2.PairScore(
                    signals=[
                        types_pb2.Signal(name=name, value=value, model="rule/lines")
                        for name, value in self._by_source[pair.source_text].signals.items()
                    ]
                )
                for pair in request.pairs
            ]
        )
