"""Voice activity on real audio."""

from __future__ import annotations

import numpy as np
import pytest

from services.stt.vad import WINDOW_SAMPLES, VoiceActivity, VoiceActivityModel
from tests.speech import Pcm, music, silence, spoken, white_noise


@pytest.fixture(scope="module")
def model() -> VoiceActivityModel:
    return VoiceActivityModel()


def probabilities(model: VoiceActivityModel, pcm: Pcm) -> list[float]:
    activity = VoiceActivity(model)
    samples = pcm.astype(np.float32) / 32768
    starts = range(0, len(samples) - WINDOW_SAMPLES + 1, WINDOW_SAMPLES)
    return [activity.probability(samples[start : start + WINDOW_SAMPLES]) for start in starts]


def test_speech_is_heard(model: VoiceActivityModel) -> None:
    assert np.mean(probabilities(model, spoken("The people went down to the river."))) > 0.6


@pytest.mark.parametrize(
    "pcm",
    [silence(5), white_noise(5), white_noise(5, 0.3), music(5)],
    ids=["silence", "noise", "loud noise", "music"],
)
def test_what_is_not_speech_stays_below_the_threshold(model: VoiceActivityModel, pcm: Pcm) -> None:
    assert np.mean(np.array(probabilities(model, pcm)) > 0.5) < 0.05


def test_two_streams_of_one_model_do_not_disturb_each_other(model: VoiceActivityModel) -> None:
    speech = spoken("The people went down to the river.")
    alone = probabilities(model, speech)
    first, second = VoiceActivity(model), VoiceActivity(model)
    noise = white_noise(len(speech) / 16_000 + 1).astype(np.float32) / 32768
    together = []
    for index in range(len(alone)):
        piece = slice(index * WINDOW_SAMPLES, (index + 1) * WINDOW_SAMPLES)
        together.append(first.probability(speech[piece].astype(np.float32) / 32768))
        second.probability(noise[piece])
    assert together == pytest.approx(alone)


def test_reset_forgets(model: VoiceActivityModel) -> None:
    activity = VoiceActivity(model)
    window = white_noise(1)[:WINDOW_SAMPLES].astype(np.float32) / 32768
    fresh = activity.probability(window)
    for start in range(0, 16_000, WINDOW_SAMPLES):
        piece = spoken("Good morning.")[start : start + WINDOW_SAMPLES]
        if len(piece) == WINDOW_SAMPLES:
            activity.probability(piece.astype(np.float32) / 32768)
    activity.reset()
    assert activity.probability(window) == fresh


def test_digital_silence_is_no_speech_even_just_after_speech(model: VoiceActivityModel) -> None:
    assert probabilities(model, spoken("Good morning."))[10] > 0.5
    heard = probabilities(model, np.concatenate([spoken("Good morning.")[:9600], silence(1)]))
    assert heard[-1] == 0.0
