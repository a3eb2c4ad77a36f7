"""What the operator's pages need: a real gateway and captions, and models that follow a rule."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.mt.v1 import mt_pb2
from glossa.qe.v1 import qe_pb2
from glossa.stt.v1 import stt_pb2
from glossa.types.v1 import types_pb2
from services.channels import open_channel
from services.settings import port
from tests.gateway.conftest import audio, drained, open_stream
from tests.gateway.peers import Mt, Qe, Stt, sermon, started
from tests.processes import ServiceProcess, free_port_base
from tests.speech import Pcm, chunks

# What qe says of a sentence, by its number.
SIGNALS: dict[int, dict[str, float]] = {
    1: {"translation_qe": 0.91, "number_parity": 1.0},
    2: {"translation_qe": 0.61},
    3: {"translation_qe": 0.32},
    4: {"translation_qe": 0.93, "negation_parity": 0.0},
    5: {"length_ratio": 0.9},
}
ROLES = ("stt", "mt", "qe", "mt_alternative")


class DeskStack:
    """Sentence N is translated in 10 * N ms, by the second runtime in 30 * N ms."""

    def __init__(
        self,
        folder: Path,
        *,
        stt: Stt | None = None,
        mt: Mt | None = None,
        session_limit_s: float = 43_200,
        **captions: object,
    ) -> None:
        """`stt`, `mt` instead of what follows the rule; `captions` are settings of that one."""
        self._base = base = free_port_base()
        self._stt = stt or Stt()
        self._mt = mt or _Mt("rule/a", 10)
        self._peers: dict[str, grpc.aio.Server] = {}
        self.gateway_process = ServiceProcess(
            "gateway",
            base,
            folder,
            state_dir=folder / "gateway",
            session_limit_s=session_limit_s,
            **{f"{role}_address": f"127.0.0.1:{port(role, base)}" for role in ROLES},
        )
        self.captions = ServiceProcess(
            "captions",
            base,
            folder,
            upstream_address=self.gateway_process.address,
            **captions,
        )
        self.url = f"http://127.0.0.1:{port('captions_web', base)}"

    async def start(self) -> None:
        self._channel = open_channel(self.gateway_process.address)
        self.gateway = gateway_pb2_grpc.GatewayServiceStub(self._channel)
        self.journal = gateway_pb2_grpc.JournalServiceStub(self._channel)
        servicers = {"stt": self._stt, "mt": self._mt, "qe": _Qe()}
        for role, servicer in (servicers | {"mt_alternative": _Mt("rule/b", 30)}).items():
            self._peers[role] = await started(role, port(role, self._base), servicer)
        self.gateway_process.start()
        self.captions.start()
        await asyncio.gather(self.gateway_process.wait_ready(), self.captions.wait_ready())

    async def stop(self) -> None:
        await self._channel.close()
        self.captions.kill()
        self.gateway_process.kill()
        for peer in self._peers.values():
            await peer.stop(0)

    async def stop_peer(self, role: str) -> None:
        await self._peers.pop(role).stop(0)

    async def events(self, session_id: str) -> list[gateway_pb2.JournalEvent]:
        """What the journal holds of a session now."""
        call = self.journal.Follow(
            gateway_pb2.FollowRequest(session_id=session_id, until_now=True), timeout=20
        )
        return [response.event async for response in call if response.HasField("event")]

    async def audio(self, session_id: str) -> Pcm:
        """What the gateway kept of a session's audio, up to now."""
        call = self.journal.FetchAudio(
            gateway_pb2.FetchAudioRequest(session_id=session_id), timeout=20
        )
        data = b"".join([response.audio.data async for response in call])
        return np.frombuffer(data, dtype="<i2")

    async def events_of(
        self, session_id: str, kind: str, count: int
    ) -> list[gateway_pb2.JournalEvent]:
        """The session's events of one kind, once there are `count`."""
        async with asyncio.timeout(20):
            while True:
                events = await self.events(session_id)
                found = [event for event in events if event.WhichOneof("event") == kind]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.05)


class Speaker:
    """A session that stays open: says sentences when told to."""

    def __init__(self, stack: DeskStack) -> None:
        self._call = stack.gateway.StreamAudio(timeout=300)
        self._next_sample = 0
        self.session_id = ""

    async def open(self, **config: object) -> Speaker:
        self.session_id = (await open_stream(self._call, **config)).session_id
        return self

    async def say(self, *numbers: int) -> None:
        await self.play(sermon(list(numbers)))

    async def play(self, pcm: Pcm) -> None:
        for first_sample, data in chunks(pcm):
            await self._call.write(audio(self._next_sample + first_sample, data))
        self._next_sample += len(pcm)

    async def finish(self) -> None:
        await self._call.done_writing()
        await drained(self._call)

    def leave(self) -> None:
        self._call.cancel()


class DeafStt(Stt):
    """Hears no speech in anything: for sound that does not follow the rule."""

    async def StreamingTranscribe(
        self,
        requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[stt_pb2.StreamingTranscribeResponse]:
        await anext(requests)
        async for request in requests:
            end = request.audio.first_sample + len(request.audio.data) // 2
            yield stt_pb2.StreamingTranscribeResponse(settled_sample=end)


class _Mt(Mt):
    """Finals of sentence N take N times so many milliseconds, by what they say of themselves."""

    def __init__(self, model: str, ms_a_number: int) -> None:
        super().__init__(model)
        self._ms_a_number = ms_a_number

    async def StreamTranslate(
        self, request: mt_pb2.StreamTranslateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[mt_pb2.StreamTranslateResponse]:
        number = int(request.request.text.split()[1])
        article = "La" if self._model == "rule/a" else "Una"
        answer = mt_pb2.TranslateResponse(
            text=f"{article} frase {number} fue dicha",
            model=self._model,
            engine_ms=self._ms_a_number * number,
        )
        yield mt_pb2.StreamTranslateResponse(translation=answer, is_final=True)


class _Qe(Qe):
    async def Score(
        self, request: qe_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> qe_pb2.ScoreResponse:
        return qe_pb2.ScoreResponse(
            scores=[
                qe_pb2.PairScore(
                    signals=[
                        types_pb2.Signal(name=name, value=value, model="rule/numbers")
                        for name, value in SIGNALS.get(_number(pair.source_text), {}).items()
                    ]
                )
                for pair in request.pairs
            ]
        )


def _number(text: str) -> int:
    return next((int(word) for word in text.split() if word.isdigit()), 0)
