"""A recording in, its transcript out, through an stt service."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf import json_format
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeRemainingColumn

from cli.client import Peer, as_glossa_error
from cli.lone_service import Lone, service_for
from cli.media import AudioFile
from glossa.stt.v1 import stt_pb2, stt_pb2_grpc
from glossa.types.v1 import types_pb2
from services.audio import SAMPLE_RATE_HERTZ
from services.channels import open_channel
from services.errors import PeerStatus


@dataclass(frozen=True)
class Wanted:
    """How a recording is to be transcribed; `form` is text, times, json or vtt."""

    source_language: str
    phrases: tuple[str, ...]
    form: str


async def transcribe_file(
    source: str, wanted: Wanted, *, address: str | None, lone: Lone | None
) -> int:
    """Prints a line a segment. Returns the exit status: 1 when the recording holds no speech.

    Raises:
        GlossaError: the recording cannot be read, or the service cannot do it.
    """
    audio = await asyncio.to_thread(AudioFile, source, _say)  # a bad file is told first
    console = Console(stderr=True)
    segment_count = 0
    async with service_for("stt", address, lone) as found:
        progress = Progress(
            TextColumn("{task.description}"),
            *Progress.get_default_columns()[1:3],
            TimeRemainingColumn(),
            console=console,
            # A bar over lines that come out on the same terminal would tear them.
            disable=not console.is_terminal or sys.stdout.isatty(),
            transient=True,
        )
        with progress:
            bar = progress.add_task("transcribing", total=audio.duration_s)
            if wanted.form == "vtt":
                sys.stdout.write("WEBVTT\n\n")
            async for response in responses(found, audio, wanted.source_language, wanted.phrases):
                progress.update(bar, completed=response.settled_sample / SAMPLE_RATE_HERTZ)
                match response.WhichOneof("event"):
                    case "transcript" if response.transcript.is_final:
                        segment_count += 1
                        sys.stdout.write(_line(response.transcript, wanted.form) + "\n")
                        sys.stdout.flush()
                    case "segment_suppressed":
                        suppressed = response.segment_suppressed
                        start = _clock(suppressed.start_offset_ms)
                        _say(f"{start} suppressed ({suppressed.reason}) {suppressed.text}")
    if not segment_count:
        _say(f"no speech was recognised in {source}")
    return 0 if segment_count else 1


async def responses(
    address: str,
    audio: AudioFile,
    source_language: str,
    phrases: tuple[str, ...] = (),
    *,
    partial_results: bool = False,
) -> AsyncIterator[stt_pb2.StreamingTranscribeResponse]:
    """What stt answers to a whole recording, sent as fast as it takes it. Raises GlossaError."""

    async def requests() -> AsyncIterator[stt_pb2.StreamingTranscribeRequest]:
        yield stt_pb2.StreamingTranscribeRequest(
            config=stt_pb2.TranscribeConfig(
                format=types_pb2.AudioFormat(
                    encoding=types_pb2.AUDIO_ENCODING_PCM_S16LE,
                    sample_rate_hertz=SAMPLE_RATE_HERTZ,
                    channel_count=1,
                ),
                language=source_language,
                phrases=phrases,
                partial_results=partial_results,
            )
        )
        async for chunk in audio.chunks():
            yield stt_pb2.StreamingTranscribeRequest(
                audio=types_pb2.AudioChunk(first_sample=chunk.first_sample, data=chunk.data)
            )

    async with open_channel(address) as channel:
        call = stt_pb2_grpc.SttServiceStub(channel).StreamingTranscribe(requests())
        status = PeerStatus(call)
        try:
            async for response in call:
                yield response
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise as_glossa_error(await status.error(), Peer("stt", address, "--stt")) from None
        finally:
            call.cancel()


def _line(final: types_pb2.Transcript, form: str) -> str:
    match form:
        case "times":
            return f"{_clock(final.start_offset_ms)} {final.stable_text}"
        case "vtt":
            start, end = _clock(final.start_offset_ms), _clock(final.end_offset_ms)
            return f"{start} --> {end}\n{final.stable_text}\n"
        case "json":
            return json.dumps(_object(final), ensure_ascii=False)
    return final.stable_text


def _object(final: types_pb2.Transcript) -> dict[str, Any]:
    found = json_format.MessageToDict(final, preserving_proto_field_name=True)
    text = found.pop("stable_text", "")
    for name in ("is_final", "revision"):
        found.pop(name, None)
    # JSON has numbers large enough for the int64 of a sermon; protobuf's mapping makes them text.
    for holder in (found, *found.get("words", [])):
        holder.setdefault("start_offset_ms", 0)  # what is zero is left out of protobuf's mapping
        for name, value in holder.items():
            if name.endswith("_ms") or name == "segment_id":
                holder[name] = float(value) if "." in str(value) else int(value)
    return {"text": text, **found}


def _clock(offset_ms: int) -> str:
    """hh:mm:ss.mmm"""
    seconds, milliseconds = divmod(offset_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"


def _say(line: str) -> None:
    sys.stderr.write(f"glossa: {line}\n")
