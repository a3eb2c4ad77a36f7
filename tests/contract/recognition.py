"""Recognisers for the contract tests: pocketsphinx, and tiny Whispers that know tiny.SENTENCES."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from services.audio import samples_to_ms
from services.stt.engine import Engine, EngineOptions, Hypothesis, Samples, loader
from tests import speech
from tests.tiny import whisper as tiny

WORKERS = 2
WHISPERS: dict[str, Callable[[], Path]] = {
    "faster_whisper": tiny.whisper_ct2,
    "mlx_whisper": tiny.whisper_mlx,
}
ENGLISH, SPANISH = tiny.SENTENCES["en"], tiny.SENTENCES["es"]


def open_engine(name: str, **changes: object) -> Engine:
    options = EngineOptions(
        model=str(WHISPERS[name]()) if name in WHISPERS else "", threads=1, final_workers=WORKERS
    )
    return loader(name)(dataclasses.replace(options, **changes))


def samples_of(pcm: speech.Pcm) -> Samples:
    return pcm.astype(np.float32) / np.float32(32768)


def said(*sentences: str, pause_s: float = 0.3) -> Samples:
    return samples_of(
        speech.with_pauses(*(speech.spoken(sentence) for sentence in sentences), pause_s=pause_s)
    )


def assert_sound(hypothesis: Hypothesis, samples: Samples) -> None:
    """What may be believed of any hypothesis, however strange the samples were."""
    duration_ms = samples_to_ms(len(samples))
    for word in hypothesis.words:
        assert word.text
        assert word.text == word.text.strip()
        assert type(word.start_ms) is type(word.end_ms) is int
        assert 0 <= word.start_ms <= word.end_ms <= duration_ms
        assert word.probability is None or 0 <= word.probability <= 1
    for earlier, later in pairwise(hypothesis.words):
        assert earlier.end_ms <= later.start_ms
    assert hypothesis.avg_logprob is None or hypothesis.avg_logprob <= 0
    assert hypothesis.no_speech_prob is None or 0 <= hypothesis.no_speech_prob <= 1
