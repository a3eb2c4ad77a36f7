"""The speech that faults fall into: short sentences, each of which must become a final."""

from __future__ import annotations

import asyncio
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cli.client import Chunk
from cli.spoken import SAMPLE_TEXT, speak
from services.audio import BYTES_PER_SAMPLE, SAMPLE_RATE_HERTZ

_LONGEST_WORDS = 9  # a sentence a few seconds long, so that finals come often
_CHUNK_SAMPLES = SAMPLE_RATE_HERTZ // 10
# speak() ends with a longer silence than there is between sentences.
_TAIL_SILENCE_SAMPLES = int(1.2 * SAMPLE_RATE_HERTZ)
_BRINK_MS = 300


@dataclass(frozen=True)
class Spoken:
    """A sentence's place in the audio that was sent, in milliseconds, its silences included."""

    start_ms: int
    end_ms: int

    def is_covered(self, spans_ms: list[tuple[int, int]]) -> bool:
        """Whether a final lies in it."""
        return any(
            start < self.end_ms - _BRINK_MS and end > self.start_ms + _BRINK_MS
            for start, end in spans_ms
        )


class Preacher:
    """Sentences over and over until `stop`; then the one that has begun is the last but one."""

    def __init__(self, sentences: list[bytes]) -> None:
        self._sentences = sentences
        self._stopping = False
        self.spoken: list[Spoken] = []
        self.sample_count = 0

    def stop(self) -> None:
        self._stopping = True

    async def chunks(self) -> AsyncIterator[Chunk]:
        number = 0
        while True:
            is_last = self._stopping
            start_sample = self.sample_count
            pcm = self._sentences[number % len(self._sentences)]
            for at in range(0, len(pcm), _CHUNK_SAMPLES * BYTES_PER_SAMPLE):
                data = pcm[at : at + _CHUNK_SAMPLES * BYTES_PER_SAMPLE]
                yield Chunk(self.sample_count, data)
                self.sample_count += len(data) // BYTES_PER_SAMPLE
            self.spoken.append(Spoken(_ms(start_sample), _ms(self.sample_count)))
            number += 1
            if is_last:
                return


def _ms(sample: int) -> int:
    return sample * 1000 // SAMPLE_RATE_HERTZ


async def speak_sentences(folder: Path) -> list[bytes]:
    """The short sentences of the sample sermon as PCM, 0.7 s of silence before and after each.

    Raises:
        Unavailable: TOOL_MISSING.
    """
    lines = [line.strip() for line in SAMPLE_TEXT.read_text(encoding="utf-8").splitlines()]
    short = [line for line in lines if 0 < len(line.split()) <= _LONGEST_WORDS]
    sentences = []
    for number, line in enumerate(short):
        path = folder / f"sentence-{number}.wav"
        await speak(line, path)
        sentences.append(await asyncio.to_thread(_pcm, path))
    return sentences


def _pcm(path: Path) -> bytes:
    with wave.open(str(path)) as audio:
        return bytes(audio.readframes(audio.getnframes() - _TAIL_SILENCE_SAMPLES))
