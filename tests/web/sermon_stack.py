"""A sermon for pictures: a real gateway and captions, and models that say prepared lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np

from glossa.gateway.v1 import gateway_pb2_grpc
from glossa.mt.v1 import mt_pb2
from glossa.qe.v1 import qe_pb2
from glossa.stt.v1 import stt_pb2
from glossa.types.v1 import types_pb2
from services.audio import SAMPLE_RATE_HERTZ
from services.channels import open_channel
from services.settings import port
from tests.gateway.conftest import audio, open_stream
from tests.gateway.peers import SPEECH_SAMPLES, Mt, Qe, Stt, sermon, started
from tests.processes import ServiceProcess, free_port_base
from tests.speech import chunks

_SPEECH_MS = SPEECH_SAMPLES * 1000 // SAMPLE_RATE_HERTZ
_PARTIAL_SAMPLES = SPEECH_SAMPLES * 2 // 3
_UNSTABLE_WORDS = 2
OPERATOR_TOKEN = "the-token-of-these-pictures"
_ROLES = ("stt", "mt", "qe", "mt_alternative")


@dataclass(frozen=True)
class Line:
    """What is said, and its translations by language; `other` is the second runtime's Spanish."""

    source: str
    targets: Mapping[str, str]
    other: str
    quality: float = 0.9  # of 1, as qe estimates it


LINES = (
    Line(
        "Good morning, and welcome.",
        {"es": "Buenos días y bienvenidos.", "ar": "صباح الخير وأهلاً وسهلاً."},
        "Buen día, y bienvenidos.",
        0.93,
    ),
    Line(
        "This morning we will think about bread, and about the people we share it with.",
        {
            "es": "Esta mañana pensaremos en el pan y en las personas con quienes lo compartimos.",
            "ar": "في هذا الصباح سنفكر في الخبز وفي الناس الذين نتقاسمه معهم.",
        },
        "Esta mañana pensaremos acerca de pan, y la gente con la que lo compartimos.",
        0.88,
    ),
    Line(
        "A table grows longer when someone pulls up another chair.",
        {
            "es": "Una mesa se hace más larga cuando alguien acerca otra silla.",
            "ar": "تطول المائدة عندما يقرّب أحدهم كرسياً آخر.",
        },
        "Una mesa crece más cuando alguien tira otra silla.",
        0.61,
    ),
    Line(
        "Nobody in this room has to earn a place at it.",
        {
            "es": "Nadie en esta sala tiene que ganarse un lugar en ella.",
            "ar": "لا أحد في هذه القاعة عليه أن يستحق مكاناً حولها.",
        },
        "Nadie en este cuarto tiene que ganar un lugar.",
        0.84,
    ),
    Line(
        "So bring what you have and sit down beside someone new.",
        {
            "es": "Así que traigan lo que tienen y siéntense junto a alguien nuevo.",
            "ar": "فأحضروا ما عندكم واجلسوا بجانب شخص جديد.",
        },
        "Traigan lo que tengan y siéntense con alguien nuevo.",
    ),
)


class SermonStack:
    def __init__(self, folder: Path) -> None:
        self._base = base = free_port_base()
        self._gateway = ServiceProcess(
            "gateway",
            base,
            folder,
            state_dir=folder / "gateway",
            **{f"{role}_address": f"127.0.0.1:{port(role, base)}" for role in _ROLES},
        )
        self._captions = ServiceProcess(
            "captions",
            base,
            folder,
            upstream_address=self._gateway.address,
            public_url="https://captions.example.org/",
            operator_token=OPERATOR_TOKEN,
        )
        self._peers: list[grpc.aio.Server] = []
        self.url = f"http://127.0.0.1:{port('captions_web', base)}"

    async def start(self) -> None:
        servicers: dict[str, Stt | Mt | Qe] = {
            "stt": _Stt(),
            "mt": _Mt(),
            "qe": _Qe(),
            "mt_alternative": _OtherMt(),
        }
        for role, servicer in servicers.items():
            self._peers.append(await started(role, port(role, self._base), servicer))
        self._gateway.start()
        self._captions.start()
        await asyncio.gather(self._gateway.wait_ready(), self._captions.wait_ready())
        self._channel = open_channel(self._gateway.address)

    async def stop(self) -> None:
        await self._channel.close()
        self._captions.kill()
        self._gateway.kill()
        for peer in self._peers:
            await peer.stop(0)

    async def speak(self) -> None:
        """Says all lines but the last, and begins that; the session stays open."""
        self._call = gateway_pb2_grpc.GatewayServiceStub(self._channel).StreamAudio(timeout=600)
        languages = list(LINES[0].targets)
        await open_stream(self._call, title="A longer table", target_languages=languages)
        count = len(LINES)
        begun = np.full(_PARTIAL_SAMPLES, count, dtype=np.int16)
        for first_sample, data in chunks(np.concatenate([sermon(range(1, count)), begun])):
            await self._call.write(audio(first_sample, data))


class _Stt(Stt):
    """Segment N is line N."""

    async def StreamingTranscribe(
        self,
        requests: AsyncIterator[stt_pb2.StreamingTranscribeRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[stt_pb2.StreamingTranscribeResponse]:
        async for response in super().StreamingTranscribe(requests, context):
            transcript = response.transcript
            if transcript.segment_id:
                words = LINES[transcript.segment_id - 1].source.split()
                said_ms = transcript.end_offset_ms - transcript.start_offset_ms
                count = len(words) if transcript.is_final else len(words) * said_ms // _SPEECH_MS
                firm = count if transcript.is_final else max(0, count - _UNSTABLE_WORDS)
                transcript.stable_text = " ".join(words[:firm])
                transcript.unstable_text = " ".join(words[firm:count])
                transcript.model = "large/en"
            yield response


class _Mt(Mt):
    def __init__(self) -> None:
        super().__init__("first/en-xx")

    async def StreamTranslate(
        self, request: mt_pb2.StreamTranslateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[mt_pb2.StreamTranslateResponse]:
        yield mt_pb2.StreamTranslateResponse(
            translation=self._answer(request.request), is_final=True
        )

    def _answer(self, request: mt_pb2.TranslateRequest) -> mt_pb2.TranslateResponse:
        """As much of the translation as was given of the line."""
        line = next(each for each in LINES if each.source.startswith(request.text))
        words = self._text(line, request.target_language).split()
        count = round(len(words) * len(request.text) / len(line.source))
        return mt_pb2.TranslateResponse(
            text=" ".join(words[:count]), model=self._model, engine_ms=180 + 4 * len(line.source)
        )

    def _text(self, line: Line, language: str) -> str:
        return line.targets[language]


class _OtherMt(_Mt):
    def __init__(self) -> None:
        super().__init__()
        self._model = "second/en-xx"

    def _text(self, line: Line, language: str) -> str:
        return line.other if language == "es" else line.targets[language]


class _Qe(Qe):
    async def Score(
        self, request: qe_pb2.ScoreRequest, context: grpc.aio.ServicerContext
    ) -> qe_pb2.ScoreResponse:
        qualities = {line.source: line.quality for line in LINES}
        return qe_pb2.ScoreResponse(
            scores=[
                qe_pb2.PairScore(
                    signals=[
                        types_pb2.Signal(
                            name="translation_qe",
                            value=qualities[pair.source_text],
                            model="estimator",
                        )
                    ]
                )
                for pair in request.pairs
            ]
        )
