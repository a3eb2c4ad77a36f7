"""One source to one gateway, telling people how it goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rich.console import Console
from rich.live import Live
from rich.text import Text

from cli.client import (
    Broken,
    Chunk,
    GapMarked,
    Opened,
    SessionRequest,
    SpeakerClient,
    SpeakerEvent,
    Waiting,
)
from cli.counted import counted
from cli.gain import AutoGain
from cli.media import AudioFile, level_dbfs
from cli.microphone import Microphone
from cli.signals import on_signal
from services.audio import SAMPLE_RATE_HERTZ

_METER_CELLS = 24
_METER_FLOOR_DBFS = -60.0


@dataclass(frozen=True)
class Input:
    """What is sent: a file or a URL, or a microphone when `source` is None."""

    source: str | None
    device: str = ""  # of the microphone; empty for the default one
    auto_gain: bool = False


async def feed(given: Input, address: str, request: SessionRequest, speed: float) -> int:
    """Sends the audio and returns the exit status."""
    source = given.source
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    meter = _Meter(AutoGain() if given.auto_gain else None)
    said = console.print
    microphone: Microphone | None = None
    if source is None:
        microphone = Microphone(given.device, said)
        chunks = microphone.chunks()
    else:
        # Opening a URL may take seconds.
        audio = await asyncio.to_thread(AudioFile, source, lambda line: said(f"warning: {line}"))
        chunks = audio.chunks()
    client = SpeakerClient(
        address, request, speed=speed, on_event=lambda event: said(describe(event))
    )
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        if microphone is not None:
            microphone.stop()

    said(
        f"sending {source or 'the microphone'} to {address}; Ctrl-C ends the session in good order"
    )
    with (
        on_signal(stop),
        Live(
            console=console,
            get_renderable=lambda: _progress(client, meter),
            refresh_per_second=8,
            transient=True,
        )
        if console.is_terminal
        else contextlib.nullcontext(),
    ):
        closed = await client.stream(meter.listen(_until(stopping, chunks)))
    said(
        f"session {closed.session_id} is over: {client.sent_s:.1f} s sent, "
        f"{counted(closed.final_count, 'final')} in the journal"
    )
    return 0


def describe(event: SpeakerEvent) -> str:
    """An event of a speaker's stream as a line for people."""
    match event:
        case Opened(session_id, next_sample, resumed=True):
            return f"session {session_id} goes on at {next_sample / SAMPLE_RATE_HERTZ:.1f} s"
        case Opened(session_id):
            return f"session {session_id} is open"
        case Waiting(message, limit_s):
            return f"{message} (trying for {limit_s:.0f} s)"
        case Broken(reason):
            return f"the connection broke ({reason}); trying again"
        case GapMarked(first_sample, next_sample):
            duration_s = (next_sample - first_sample) / SAMPLE_RATE_HERTZ
            return f"{duration_s:.1f} s of audio never came; the journal says so"


async def _until(stopping: asyncio.Event, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    async for chunk in chunks:
        yield chunk
        if stopping.is_set():
            return


class _Meter:
    """Sets the level, if it is to be set, and says how loud the newest chunk is."""

    def __init__(self, gain: AutoGain | None) -> None:
        self.level_dbfs = -90.0
        self.gain = gain

    async def listen(self, chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
        async for chunk in chunks:
            if self.gain is not None:
                chunk = Chunk(chunk.first_sample, self.gain.apply(chunk.data))
            self.level_dbfs = level_dbfs(chunk.data)
            yield chunk


def _progress(client: SpeakerClient, meter: _Meter) -> Text:
    share = 1 - max(meter.level_dbfs, _METER_FLOOR_DBFS) / _METER_FLOOR_DBFS
    filled = round(min(1.0, max(0.0, share)) * _METER_CELLS)
    return Text.assemble(
        ("▇" * filled, "red" if meter.level_dbfs > -3 else "green"),
        ("·" * (_METER_CELLS - filled), "dim"),
        f" {meter.level_dbfs:4.0f} dBFS",
        "" if meter.gain is None else f" (gain {meter.gain.gain_db:+.0f} dB)",
        f"   sent {client.sent_s:7.1f} s   ",
        f"safe {client.safe_sample / SAMPLE_RATE_HERTZ:7.1f} s   held {client.held_s:5.1f} s",
    )
