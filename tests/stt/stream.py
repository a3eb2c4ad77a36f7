"""A client of one transcription stream, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

import grpc

from glossa.stt.v1 import stt_pb2, stt_pb2_grpc
from glossa.types.v1 import types_pb2
from services.channels import open_channel
from services.errors import PeerStatus
from tests.speech import Pcm, chunks

DEADLINE_S = 60.0
FORMAT = types_pb2.AudioFormat(
    encoding=types_pb2.AUDIO_ENCODING_PCM_S16LE, sample_rate_hertz=16_000, channel_count=1
)


def config(**fields: object) -> stt_pb2.StreamingTranscribeRequest:
    settings = {"format": FORMAT, "language": "en", **fields}
    return stt_pb2.StreamingTranscribeRequest(config=stt_pb2.TranscribeConfig(**settings))


def audio(first_sample: int, data: bytes) -> stt_pb2.StreamingTranscribeRequest:
    return stt_pb2.StreamingTranscribeRequest(
        audio=types_pb2.AudioChunk(first_sample=first_sample, data=data)
    )


def requests(
    pcm: Pcm, first_sample: int = 0, chunk_ms: int = 100, **fields: object
) -> list[stt_pb2.StreamingTranscribeRequest]:
    """A whole stream: config, then `pcm` from `first_sample` on."""
    pieces = [audio(first_sample + first, data) for first, data in chunks(pcm, chunk_ms)]
    return [config(**fields), *pieces]


@dataclass
class Heard:
    """What a stream answered, in order."""

    responses: list[stt_pb2.StreamingTranscribeResponse] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        """Each event in short: "started 1", "partial 1", "final 1", "suppressed 1"."""
        return [kind for response in self.responses if (kind := _kind(response))]

    @property
    def transcripts(self) -> list[types_pb2.Transcript]:
        return [r.transcript for r in self.responses if r.WhichOneof("event") == "transcript"]

    @property
    def finals(self) -> list[types_pb2.Transcript]:
        return [transcript for transcript in self.transcripts if transcript.is_final]

    @property
    def partials(self) -> list[types_pb2.Transcript]:
        return [transcript for transcript in self.transcripts if not transcript.is_final]

    @property
    def text(self) -> str:
        return " ".join(final.stable_text for final in self.finals).lower()

    @property
    def settled_samples(self) -> list[int]:
        return [response.settled_sample for response in self.responses]


def _kind(response: stt_pb2.StreamingTranscribeResponse) -> str:
    match response.WhichOneof("event"):
        case "speech_started":
            return f"started {response.speech_started.segment_id}"
        case "segment_suppressed":
            return f"suppressed {response.segment_suppressed.segment_id}"
        case "transcript" if response.transcript.is_final:
            return f"final {response.transcript.segment_id}"
        case "transcript":
            return f"partial {response.transcript.segment_id}"
        case _:
            return ""


async def transcribe(
    address: str,
    sent: Iterable[stt_pb2.StreamingTranscribeRequest],
    *,
    speed: float = 0,
    heard: Heard | None = None,
) -> Heard:
    """Sends `sent` and half-closes; `speed` times real time, 0 as fast as it goes.

    Raises AioRpcError; what was heard until then is in `heard`.
    """
    heard = heard if heard is not None else Heard()

    async def paced() -> AsyncIterator[stt_pb2.StreamingTranscribeRequest]:
        started_at = asyncio.get_running_loop().time()
        sent_s = 0.0
        for request in sent:
            if speed:
                due = started_at + sent_s / speed
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                sent_s += len(request.audio.data) / 32_000
            yield request

    async with open_channel(address) as channel:
        call = stt_pb2_grpc.SttServiceStub(channel).StreamingTranscribe(paced(), timeout=DEADLINE_S)
        status = PeerStatus(call)
        try:
            async for response in call:
                heard.responses.append(response)
        except grpc.aio.AioRpcError:
            raise await status.error() from None
        finally:
            call.cancel()
    return heard


async def until_the_end(call: grpc.aio.StreamStreamCall) -> None:
    """Reads what is left; raises the stream's AioRpcError."""
    status = PeerStatus(call)
    try:
        while await call.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError:
        raise await status.error() from None
