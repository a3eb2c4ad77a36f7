"""What every recogniser owes the service."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from services.audio import SAMPLE_RATE_HERTZ, samples_to_ms
from services.errors import EngineFailed
from services.stt.engine import Decoding, Engine, Samples
from tests import speech
from tests.contract.recognition import (
    ENGLISH,
    WHISPERS,
    WORKERS,
    assert_sound,
    open_engine,
    said,
    samples_of,
)

EVERY_ENGINE = [
    "pocketsphinx",
    *(pytest.param(name, marks=pytest.mark.engines) for name in WHISPERS),
]
# What an engine is given at most.
LONGEST_S = 30


@pytest.fixture(scope="module", params=EVERY_ENGINE)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    loaded = open_engine(request.param)
    yield loaded
    loaded.close()


def test_an_engine_says_what_it_can_do(engine: Engine) -> None:
    can = engine.capabilities
    assert engine.name
    assert engine.model
    assert "en" in can.languages
    assert can.partial_step_ms >= 100
    assert can.reject_avg_logprob < can.flag_avg_logprob < 0


def test_speech_gives_words_in_order_within_the_clip(engine: Engine) -> None:
    clip = said(ENGLISH[1])
    hypothesis = engine.transcribe(clip, Decoding("en"))
    assert_sound(hypothesis, clip)
    assert len(hypothesis.words) >= 5
    assert hypothesis.words[-1].end_ms > samples_to_ms(len(clip)) // 2


def test_the_same_samples_give_the_same_words(engine: Engine) -> None:
    clip = said(*ENGLISH)
    first = engine.transcribe(clip, Decoding("en"))
    engine.transcribe(said(ENGLISH[2]), Decoding("en"))
    assert engine.transcribe(clip, Decoding("en")) == first


@pytest.mark.parametrize(
    "clip",
    [
        np.zeros(0, np.float32),
        np.zeros(1, np.float32),
        np.full(399, 0.5, np.float32),
        samples_of(speech.silence(2)),
        samples_of(speech.white_noise(2)),
        np.ones(SAMPLE_RATE_HERTZ, np.float32),
        samples_of(speech.music(LONGEST_S)),
    ],
    ids=["nothing", "one sample", "25 ms", "silence", "noise", "full scale", "30 s of music"],
)
def test_strange_clips_are_decoded_to_something_sound(engine: Engine, clip: Samples) -> None:
    assert_sound(engine.transcribe(clip, Decoding("en")), clip)


def test_calls_at_once_give_what_they_give_one_after_another(engine: Engine) -> None:
    clips = [said(sentence) for sentence in (*ENGLISH, *reversed(ENGLISH))]
    one_by_one = [engine.transcribe(clip, Decoding("en")) for clip in clips]
    with ThreadPoolExecutor(WORKERS) as workers:
        at_once = list(workers.map(lambda clip: engine.transcribe(clip, Decoding("en")), clips))
    assert at_once == one_by_one


@pytest.mark.parametrize(
    ("phrases", "previous_text"),
    [
        (("Philippi", "José Ñandú", "", " "), "¡Aleluya! Здравствуй 主は羊飼い 🙏"),
        (tuple(f"name{index}" for index in range(2000)), "and he said " * 2000),
        (("<|endoftext|>", "<|startoftranscript|>"), "<|nospeech|><|es|> \x00 \ud800 \u202e"),
    ],
    ids=["other scripts", "far too long", "control tokens"],
)
def test_any_phrases_and_previous_text_are_taken(
    engine: Engine, phrases: tuple[str, ...], previous_text: str
) -> None:
    clip = said(ENGLISH[0])
    hypothesis = engine.transcribe(clip, Decoding("en", phrases, previous_text))
    assert_sound(hypothesis, clip)
    assert hypothesis.words


def test_another_temperature_is_taken(engine: Engine) -> None:
    clip = said(ENGLISH[0])
    hypothesis = engine.transcribe(clip, Decoding("en", temperature=0.6))
    assert_sound(hypothesis, clip)
    assert hypothesis.words


def test_other_threads_go_on_while_it_decodes(engine: Engine) -> None:
    clip = samples_of(speech.white_noise(LONGEST_S))
    turns = 0
    is_over = threading.Event()

    def take_turns() -> None:
        nonlocal turns
        while not is_over.wait(0.001):
            turns += 1

    taker = threading.Thread(target=take_turns)
    taker.start()
    engine.transcribe(clip, Decoding("en"))
    is_over.set()
    taker.join()
    # An engine that kept the interpreter's lock would leave a turn or two.
    assert turns > 10


@pytest.mark.parametrize("name", EVERY_ENGINE)
def test_a_closed_engine_refuses_and_keeps_no_thread(name: str) -> None:
    before = set(threading.enumerate())
    closed = open_engine(name)
    closed.transcribe(said(ENGLISH[2]), Decoding("en"))
    closed.close()
    with pytest.raises(EngineFailed):
        closed.transcribe(said(ENGLISH[2]), Decoding("en"))
    closed.close()
    assert set(threading.enumerate()) <= before
