"""Recordings through one stt service after another."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench.memory import MemoryWatch, gpu_bytes
from bench.recordings import Recording, read_recordings, sample_recording
from bench.side_by_side import figure, print_side_by_side
from bench.spread import drift, shown, spread
from cli.file_transcription import responses
from cli.lone_service import lone_service
from cli.media import AudioFile
from cli.trial import normalised
from glossa.types.v1 import types_pb2


@dataclass(frozen=True)
class Load:
    """How the recordings are sent."""

    source_language: str
    limit: int | None
    partials: bool
    stress: int | None  # segments


@dataclass
class _Run:
    """What one recogniser gave."""

    model: str = ""
    audio_s: float = 0.0
    speech_s: float = 0.0  # in finals
    decode_ms: list[float] = field(default_factory=list)  # of finals, waiting left out
    memory_bytes: list[int] = field(default_factory=list)  # after each final
    partial_count: int = 0
    flags: Counter[str] = field(default_factory=Counter)
    suppressed: Counter[str] = field(default_factory=Counter)
    texts: list[tuple[str, str]] = field(default_factory=list)  # what was said, what was heard
    load_s: float = 0.0
    wall_s: float = 0.0
    peak_bytes: int = 0
    gpu_bytes: int | None = None

    @property
    def segment_count(self) -> int:
        return len(self.decode_ms) + self.suppressed.total()

    def take(self, final: types_pb2.Transcript, memory_bytes: int) -> None:
        self.model = final.model
        self.speech_s += (final.end_offset_ms - final.start_offset_ms) / 1000
        self.decode_ms.append(max(0.0, final.engine_ms - final.engine_queue_ms))
        self.memory_bytes.append(memory_bytes)
        self.flags.update(final.flags)


async def measure(
    specs: Sequence[str], audio: Path | None, load: Load, settings: Mapping[str, str]
) -> dict[str, Any]:
    """Measures each ENGINE[:MODEL]; prints a table to stderr.

    Returns:
        {spec: {model, finals, partials, audio_s, rtf, stream_rtf, final_ms, wer, peak_memory_mb,
        gpu_memory_mb, load_s, flags, suppressed}}, with --stress {latency_drift, memory_growth}
        too.

    Raises:
        GlossaError: an engine cannot be started, or there are no recordings.
    """
    figures = {}
    with tempfile.TemporaryDirectory(prefix="glossa-bench-") as folder:
        if audio is None:
            recordings = [await sample_recording(Path(folder))]
        else:
            recordings = read_recordings(audio, load.source_language, load.limit)
        for spec in specs:
            engine, _, model = spec.partition(":")
            lone = {"GLOSSA_STT_ENGINE": engine, "GLOSSA_STT_MODEL": model, **settings}
            started_at = time.monotonic()
            async with lone_service("stt", "embedded", lone, _say) as service:
                run = _Run(load_s=time.monotonic() - started_at)
                watch = MemoryWatch(service.pid)
                async with watch.watching():
                    await _listen_to_all(service.address, recordings, load, run, watch, spec)
                run.peak_bytes, run.gpu_bytes = watch.peak_bytes, gpu_bytes(service.pid)
            figures[spec] = _figures(run, load)
    _print_table(figures, load)
    return figures


async def _listen_to_all(
    address: str,
    recordings: Sequence[Recording],
    load: Load,
    run: _Run,
    watch: MemoryWatch,
    spec: str,
) -> None:
    console = Console(stderr=True)
    endless: Iterable[Recording] = itertools.cycle(recordings) if load.stress else recordings
    total = load.stress or len(recordings)
    started_at = time.monotonic()
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        bar = progress.add_task(spec, total=total)
        silent_count = 0  # recordings in a row in which nothing was found
        for recording in endless:
            before = run.segment_count
            await _listen(address, recording, load, run, watch)
            progress.update(bar, completed=run.segment_count if load.stress else None)
            if not load.stress:
                progress.advance(bar)
                continue
            silent_count = silent_count + 1 if run.segment_count == before else 0
            if run.segment_count >= load.stress or silent_count == len(recordings):
                break
    run.wall_s = time.monotonic() - started_at


async def _listen(
    address: str, recording: Recording, load: Load, run: _Run, watch: MemoryWatch
) -> None:
    audio = AudioFile(str(recording.path))
    run.audio_s += audio.duration_s or 0.0
    heard = []
    async for response in responses(
        address, audio, load.source_language, partial_results=load.partials
    ):
        match response.WhichOneof("event"):
            case "transcript" if response.transcript.is_final:
                run.take(response.transcript, watch.now())
                heard.append(response.transcript.stable_text)
            case "transcript":
                run.partial_count += 1
            case "segment_suppressed":
                run.suppressed[response.segment_suppressed.reason] += 1
    if recording.text:
        run.texts.append((recording.text, " ".join(heard)))


def _figures(run: _Run, load: Load) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "model": run.model,
        "finals": len(run.decode_ms),
        "partials": run.partial_count,
        "audio_s": round(run.audio_s, 1),
        "rtf": round(sum(run.decode_ms) / 1000 / run.speech_s, 4) if run.speech_s else None,
        "stream_rtf": round(run.wall_s / run.audio_s, 4) if run.audio_s else None,
        "final_ms": spread(run.decode_ms),
        "wer": _word_error_rate(run.texts),
        "peak_memory_mb": round(run.peak_bytes / 1e6, 1),
        "gpu_memory_mb": None if run.gpu_bytes is None else round(run.gpu_bytes / 1e6, 1),
        "load_s": round(run.load_s, 1),
        "flags": dict(run.flags),
        "suppressed": dict(run.suppressed),
    }
    if load.stress:
        tenth = max(1, len(run.memory_bytes) // 10)
        figures["latency_drift"] = drift(run.decode_ms)
        figures["memory_growth"] = (
            round(run.memory_bytes[-1] / run.memory_bytes[tenth - 1] - 1, 3)
            if run.memory_bytes
            else None
        )
    return figures


def _word_error_rate(texts: Sequence[tuple[str, str]]) -> float | None:
    """Word errors per word over all recordings together."""
    if not texts:
        return None
    import jiwer

    said = [normalised(text) for text, _ in texts]
    heard = [normalised(text) for _, text in texts]
    return round(float(jiwer.wer(said, heard)), 4)


def _print_table(figures: Mapping[str, Any], load: Load) -> None:
    partials = "with partials" if load.partials else "without partials"
    print_side_by_side(
        f"stt, {load.source_language}, {partials} (p50 / p95 / p99)",
        {
            "finals": figure("finals"),
            "audio, s": figure("audio_s"),
            "real-time factor of finals": figure("rtf"),
            "real-time factor of the stream": figure("stream_rtf"),
            "final, ms": lambda row: shown(row["final_ms"]),
            "word error rate": figure("wer"),
            "load, s": figure("load_s"),
            "peak memory, MB": figure("peak_memory_mb"),
            "GPU memory, MB": figure("gpu_memory_mb"),
            "final, last tenth / first": figure("latency_drift"),
            "memory growth": figure("memory_growth"),
        },
        figures,
    )


def _say(line: str) -> None:
    print(f"glossa: {line}", file=sys.stderr)
