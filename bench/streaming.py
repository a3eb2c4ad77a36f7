"""Recordings through a stack in real time, and what a display saw of them."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.caption_log import CaptionLog
from bench.recordings import Recording, read_recordings, sample_recording
from bench.side_by_side import figure, print_side_by_side
from bench.spread import shown, spread
from bench.stack import running_stack
from cli.client import Chunk, SessionRequest
from cli.media import CHUNK_MS, AudioFile
from cli.trial import Trial, read_engines, word_error_rate
from glossa.captions.v1 import captions_pb2
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ, ms_to_samples

# A sermon ends with silence: without it the last segment would end with the stream and be timed
# with what the gateway takes to believe a half-close.
_LAST_SILENCE_S = 1.5


@dataclass(frozen=True)
class Wanted:
    """What is streamed and how."""

    source_language: str
    target_languages: tuple[str, ...]
    speed: float
    limit: int | None

    @property
    def languages(self) -> tuple[str, ...]:
        return (self.source_language, *self.target_languages)


@dataclass
class _Streamed:
    """One recording's session."""

    recording: Recording
    audio_s: float = 0.0
    logs: dict[str, CaptionLog] = field(default_factory=dict)
    lags_ms: dict[str, list[float]] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def reference(self, language: str, source_language: str) -> str:
        if language == source_language:
            return self.recording.text
        return self.recording.translations.get(language, "")


async def measure(
    profile: str, audio: Path | None, wanted: Wanted, output: Path, settings: Mapping[str, str]
) -> dict[str, Any]:
    """Streams every recording, writes the logs, prints a table to stderr.

    Returns:
        engines, recordings, audio_s, lost and languages: {language: {finals, words, flicker,
        stable_flicker, lag_ms, computing_ms, wer}}; computing_ms is from when the audio of a word
        was heard until it had come to stay, wer only for the language that was spoken.

    Raises:
        GlossaError: the stack cannot be started, or there are no recordings.
    """
    streamed: list[_Streamed] = []
    with tempfile.TemporaryDirectory(prefix="glossa-bench-") as folder:
        if audio is None:
            recordings = [await sample_recording(Path(folder))]
        else:
            recordings = read_recordings(audio, wanted.source_language, wanted.limit)
        async with running_stack(profile, settings) as supervisor:
            addresses = {name: supervisor.plan.address(name) for name in supervisor.states}
            engines = await read_engines(addresses)
            for number, recording in enumerate(recordings, start=1):
                name = recording.path.name
                print(f"glossa: {number} of {len(recordings)}: {name} ...", file=sys.stderr)
                streamed.append(await _stream(addresses, recording, wanted))
    figures = {
        "engines": engines,
        "recordings": len(streamed),
        "audio_s": round(sum(one.audio_s for one in streamed), 1),
        "lost": [line for one in streamed for line in one.lost],
        "languages": {
            language: _language_figures(streamed, language, wanted) for language in wanted.languages
        },
    }
    commands = await asyncio.to_thread(_write_logs, streamed, wanted, output)
    _print(figures, commands)
    return figures


async def _stream(addresses: Mapping[str, str], recording: Recording, wanted: Wanted) -> _Streamed:
    streamed = _Streamed(recording, logs={language: CaptionLog() for language in wanted.languages})
    streamed.lags_ms = {language: [] for language in wanted.languages}

    def show(event: captions_pb2.SubscribeResponse) -> None:
        now_s = time.monotonic()
        began_s = trial.sent_times.of(1)
        if began_s is None:
            return
        # The first chunk is sent when it has been spoken: speech began that much earlier.
        arrived_ms = (now_s - began_s) * 1000 + CHUNK_MS / wanted.speed
        match event.WhichOneof("event"):
            case "caption" if event.caption.language in streamed.logs:
                caption = event.caption
                streamed.logs[caption.language].add(caption, arrived_ms)
                spoken_s = trial.sent_times.of(ms_to_samples(caption.end_offset_ms))
                if caption.is_final and spoken_s is not None:
                    streamed.lags_ms[caption.language].append((now_s - spoken_s) * 1000)
            case "caption_dropped":
                dropped = event.caption_dropped
                for language, log in streamed.logs.items():
                    if dropped.language in ("", language):
                        log.drop(dropped.segment_id, arrived_ms)

    trial = Trial(
        addresses,
        SessionRequest(wanted.source_language, wanted.target_languages, recording.path.name),
        speed=wanted.speed,
        show=show,
        on_event=lambda event: None,
    )
    outcome = await trial.run(_with_silence(AudioFile(str(recording.path)).chunks()))
    streamed.audio_s = outcome.audio_s - _LAST_SILENCE_S
    streamed.lost = outcome.lost
    return streamed


async def _with_silence(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    next_sample = 0
    async for chunk in chunks:
        yield chunk
        next_sample = chunk.first_sample + len(chunk.data) // BYTES_PER_SAMPLE
    chunk_samples = SAMPLE_RATE_HERTZ * CHUNK_MS // 1000
    for _ in range(int(_LAST_SILENCE_S * 1000 / CHUNK_MS)):
        yield Chunk(next_sample, bytes(chunk_samples * BYTES_PER_SAMPLE))
        next_sample += chunk_samples


def _language_figures(
    streamed: Sequence[_Streamed], language: str, wanted: Wanted
) -> dict[str, Any]:
    logs = [one.logs[language] for one in streamed]
    emissions = [log.emission() for log in logs]
    word_count = sum(len(emission.words) for emission in emissions)
    erased = sum(log.erased_words() for log in logs)
    stable_erased = sum(log.erased_words(stable_only=True) for log in logs)
    waits_ms = [
        elapsed - delay
        for emission in emissions
        for elapsed, delay in zip(emission.elapsed_ms, emission.delays_ms, strict=True)
    ]
    said = [(one.recording.text, one.logs[language].text) for one in streamed]
    return {
        "finals": sum(len(one.lags_ms[language]) for one in streamed),
        "words": word_count,
        "flicker": round(erased / word_count, 3) if word_count else None,
        "stable_flicker": round(stable_erased / word_count, 3) if word_count else None,
        "lag_ms": spread([lag for one in streamed for lag in one.lags_ms[language]]),
        "computing_ms": spread(waits_ms),
        "wer": word_error_rate(
            " ".join(text for text, _ in said), " ".join(heard for _, heard in said)
        )
        if language == wanted.source_language and all(text for text, _ in said)
        else None,
    }


def _write_logs(streamed: Sequence[_Streamed], wanted: Wanted, output: Path) -> list[str]:
    """Writes the logs; returns the commands that evaluate them."""
    output.mkdir(parents=True, exist_ok=True)
    segmentation = [
        {"wav": one.recording.path.name, "offset": 0.0, "duration": round(one.audio_s, 3)}
        for one in streamed
    ]
    _write_json_lines(output / "events.jsonl", _events(streamed))
    (output / "segmentation.json").write_text(json.dumps(segmentation, indent=1), encoding="utf-8")
    commands = []
    for language in wanted.languages:
        references = [one.reference(language, wanted.source_language) for one in streamed]
        _write_json_lines(
            output / f"instances.{language}.log",
            [
                _instance(index, one, language, reference)
                for index, (one, reference) in enumerate(zip(streamed, references, strict=True))
            ],
        )
        if all(references):
            path = output / f"references.{language}.txt"
            path.write_text("".join(f"{line}\n" for line in references), encoding="utf-8")
            commands.append(
                f"omnisteval longform --word_level --lang {language} "
                f"--speech_segmentation {output / 'segmentation.json'} "
                f"--ref_sentences_file {path} "
                f"--hypothesis_file {output / f'instances.{language}.log'} "
                f"--output_folder {output / f'scores.{language}'}"
            )
    return commands


def _instance(index: int, one: _Streamed, language: str, reference: str) -> dict[str, Any]:
    """A line of SimulEval's instances.log."""
    emission = one.logs[language].emission()
    source_length_ms = one.audio_s * 1000  # the silence that follows was added here
    return {
        "index": index,
        "prediction": " ".join(emission.words),
        "delays": [round(min(delay, source_length_ms), 1) for delay in emission.delays_ms],
        "elapsed": [round(elapsed, 1) for elapsed in emission.elapsed_ms],
        "prediction_length": len(emission.words),
        "reference": reference,
        "source": [one.recording.path.name],
        "source_length": round(source_length_ms, 1),
    }


def _events(streamed: Sequence[_Streamed]) -> list[dict[str, Any]]:
    return [
        {"recording": one.recording.path.name, "language": language, **event}
        for one in streamed
        for language, log in one.logs.items()
        for event in log.events()
    ]


def _write_json_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _print(figures: Mapping[str, Any], commands: Sequence[str]) -> None:
    engines = ", ".join(f"{name} {engine}" for name, engine in figures["engines"].items())
    print_side_by_side(
        f"{figures['recordings']} recordings, {figures['audio_s']} s, {engines} (p50 / p95 / p99)",
        {
            "finals": figure("finals"),
            "words": figure("words"),
            "flicker, erased words a word": figure("flicker"),
            "of words shown as settled": figure("stable_flicker"),
            "lag of finals, ms": lambda row: shown(row["lag_ms"]),
            "from heard to shown, ms": lambda row: shown(row["computing_ms"]),
            "word error rate": figure("wer"),
        },
        figures["languages"],
    )
    for line in figures["lost"]:
        print(f"glossa: lost: {line}", file=sys.stderr)
    for command in commands:
        print(f"glossa: {command}", file=sys.stderr)
