"""An Engine whose audio is its own script: it hears what the samples spell, so a test knows what
was said, where, and that nothing was lost or said twice.

Word number k of a Script is a run of samples of the value k. The engine hears a word when it has
at least half of it. What it makes of the words heard is the test's: see Manner.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from services.audio import ms_to_samples, samples_to_ms
from services.stt import engine as engines
from services.stt.corrections import Corrections
from services.stt.engine import (
    Capabilities,
    Decoding,
    EngineEntry,
    EngineOptions,
    Hypothesis,
    HypothesisWord,
    LiveDecoder,
    Samples,
)
from services.stt.events import Event, Final, Partial, Suppressed
from services.stt.policy import SegmentationPolicy
from services.stt.session import AudioRun, StreamOptions, TranscriptionSession
from services.stt.settings import SttSettings
from services.stt.tiers import Tiers
from services.stt.vad import VoiceActivity
from tests.speech import Pcm

WORD_MS = 320
# Between words; far less than what ends a segment.
GAP_MS = 64
CHUNK_SAMPLES = 1600


class Script:
    """What is said: makes the audio, and reads it again."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def say(self, text: str) -> Pcm:
        """The audio of `text`, each of its words with a number of its own."""
        gap = np.zeros(ms_to_samples(GAP_MS), dtype=np.int16)
        pieces = []
        for word in text.split():
            self.words.append(word)
            pieces += [np.full(ms_to_samples(WORD_MS), len(self.words), dtype=np.int16), gap]
        return np.concatenate(pieces)

    def read(self, samples: Samples) -> list[HypothesisWord]:
        numbers = np.round(samples * 32768).astype(int)
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1), len(numbers)]
        return [
            HypothesisWord(
                self.words[numbers[first] - 1], samples_to_ms(first), samples_to_ms(end), 0.9
            )
            for first, end in itertools.pairwise(edges)
            if 0 < numbers[first : first + 1].max(initial=0) <= len(self.words)
            and end - first >= ms_to_samples(WORD_MS) // 2
        ]


@dataclass
class Manner:
    """How an engine hears.

    Args:
        hear: what it makes of the words that are there.
        gate: held by the test, a decode waits.
    """

    script: Script
    languages: tuple[str, ...] = ("en",)
    hear: Callable[[list[HypothesisWord], Decoding], list[HypothesisWord]] = lambda words, _: words
    avg_logprob: Callable[[Decoding], float | None] = lambda _: -0.1
    no_speech_prob: float | None = None
    uses_temperature: bool = True
    word_times: bool = True
    live_decoders: int = 0
    load_error: Exception | None = None
    gate: threading.Lock = field(default_factory=threading.Lock)
    decodings: list[tuple[float, Decoding]] = field(default_factory=list)  # seconds of audio
    closed: int = 0


MANNERS: dict[str, Manner] = {}


class ScriptedEngine:
    """The Engine."""

    name = "scripted"

    def __init__(self, model: str, manner: Manner) -> None:
        self.model = model
        self._manner = manner
        self._is_closed = False
        self.capabilities = Capabilities(
            languages=manner.languages,
            live_decoders=manner.live_decoders,
            word_times=manner.word_times,
            held_back_words=0,
            partial_step_ms=800,
            flag_avg_logprob=-0.5,
            reject_avg_logprob=-1.0,
            uses_temperature=manner.uses_temperature,
        )

    def transcribe(self, samples: Samples, decoding: Decoding) -> Hypothesis:
        manner = self._manner
        with manner.gate:
            assert not self._is_closed, "a closed engine was asked"
            manner.decodings.append((len(samples) / 16_000, decoding))
            words = manner.hear(manner.script.read(samples), decoding)
            return Hypothesis(tuple(words), manner.avg_logprob(decoding), manner.no_speech_prob)

    def open_live(self, decoding: Decoding) -> LiveDecoder | None:
        return None

    def close(self) -> None:
        self._is_closed = True
        self._manner.closed += 1


def load(options: EngineOptions) -> ScriptedEngine:
    manner = MANNERS[Path(options.model).name]
    if manner.load_error is not None:
        raise manner.load_error
    return ScriptedEngine(Path(options.model).name, manner)


@contextlib.contextmanager
def scripted(**manners: Manner) -> Iterator[None]:
    """The engine "scripted" with these models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engines.ENGINES, "scripted", EngineEntry(f"{__name__}:load", ""))
        for name, manner in manners.items():
            patch.setitem(MANNERS, name, manner)
        yield


def settings(models_dir: Path = Path(), **changes: object) -> SttSettings:
    return SttSettings(
        **{"engine": "scripted", "model": "final", "models_dir": models_dir, **changes}
    )


class ScriptedActivity(VoiceActivity):
    """Voice activity of a script's audio: whatever is not silence is speech."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """It remembers nothing."""

    def probability(self, window: Samples) -> float:
        return 0.95 if np.count_nonzero(window) * 2 >= len(window) else 0.02


def silence_ms(duration_ms: int) -> Pcm:
    return np.zeros(ms_to_samples(duration_ms), dtype=np.int16)


async def transcribe(
    tiers: Tiers,
    pcm: Pcm | Sequence[tuple[int, Pcm]],
    *,
    language: str = "en",
    phrases: tuple[str, ...] = (),
    corrections: Corrections | None = None,
    partial_results: bool = True,
    music_hold: bool = True,
    speed: float = 20.0,
    on_event: Callable[[Event], None] = lambda _: None,
    policy: SegmentationPolicy | None = None,
) -> list[Event]:
    """The events of a stream that comes at `speed` times real time; 0 as fast as it goes.

    Args:
        pcm: the samples, or runs of them with the index of the first of each.
    """
    options = StreamOptions(
        language=language,
        engine_language=language,
        phrases=phrases,
        partial_results=partial_results,
        first_segment_id=1,
        partial_interval_ms=0,
        idle_timeout_s=60.0,
        music_hold=music_hold,
    )
    session = TranscriptionSession(
        options,
        policy or SegmentationPolicy(),
        ScriptedActivity(),
        tiers,
        corrections or Corrections(),
        asyncio.Event(),
    )
    runs = [(0, pcm)] if isinstance(pcm, np.ndarray) else pcm
    heard = []
    async with contextlib.aclosing(session.events(_paced(runs, speed))) as events:
        async for event in events:
            heard.append(event)
            on_event(event)
    return heard


async def _paced(runs: Sequence[tuple[int, Pcm]], speed: float) -> AsyncIterator[AudioRun]:
    started_at = time.monotonic()
    sent_samples = 0
    for index, (first_sample, pcm) in enumerate(runs):
        for start in range(0, len(pcm), CHUNK_SAMPLES):
            if speed:
                due = started_at + sent_samples / 16_000 / speed
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            chunk = pcm[start : start + CHUNK_SAMPLES]
            sent_samples += len(chunk)
            yield AudioRun(first_sample + start, chunk, follows_gap=index > 0 and start == 0)


def finals(events: Sequence[Event]) -> list[Final]:
    return [event.body for event in events if isinstance(event.body, Final)]


def partials(events: Sequence[Event], segment_id: int | None = None) -> list[Partial]:
    return [
        event.body
        for event in events
        if isinstance(event.body, Partial) and segment_id in (None, event.body.segment_id)
    ]


def suppressed(events: Sequence[Event]) -> list[Suppressed]:
    return [event.body for event in events if isinstance(event.body, Suppressed)]


def said(events: Sequence[Event]) -> str:
    return " ".join(final.text for final in finals(events))
