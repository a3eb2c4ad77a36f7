"""Captions rest while people sing and never while somebody speaks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from services.audio import SAMPLE_RATE_HERTZ
from services.stt.music import WINDOW_SAMPLES, MusicDetector
from services.stt.vad import VoiceActivity, VoiceActivityModel
from tests.speech import music, spoken, white_noise

Audio = NDArray[np.float32]

# A scale of a tune that goes up and down, in semitones.
_TUNE = (0, 2, 4, 5, 7, 5, 4, 2)
# Centre and height of the formants of an open vowel.
_FORMANTS = ((730, 1.0), (1090, 0.5), (2440, 0.1))
_SCRIPTURE = (
    "In the beginning God created the heaven and the earth. And the earth was without form, and "
    "void; and darkness was upon the face of the deep. And the Spirit of God moved upon the face "
    "of the waters. And God said, Let there be light: and there was light."
)


def sung(duration_s: float, beat_s: float = 0.7, lowest_hertz: float = 196.0) -> Audio:
    """A vowel sung through a tune: vibrato, slides from note to note, breath between notes."""
    times_s = np.arange(int(duration_s * SAMPLE_RATE_HERTZ)) / SAMPLE_RATE_HERTZ
    beats = (times_s / beat_s).astype(int)
    semitones = np.array(_TUNE, dtype=np.float64)[beats % len(_TUNE)]
    slide = np.hanning(SAMPLE_RATE_HERTZ // 12)
    semitones = np.convolve(semitones, slide / slide.sum(), "same")
    semitones += 0.4 * np.sin(2 * np.pi * 5.5 * times_s)
    voice = voiced(lowest_hertz * 2 ** (semitones / 12))
    into_beat_s = times_s - beats * beat_s
    noise = np.random.default_rng(3).normal(0, 0.02, len(voice))
    quiet = np.clip(into_beat_s / 0.06, 0.02, 1)
    audio: Audio = (voice * quiet + noise).astype(np.float32)
    return audio


def voiced(pitch_hertz: NDArray[np.float64]) -> Audio:
    """A voice on a vowel with this pitch, sample by sample."""
    phase = 2 * np.pi * np.cumsum(pitch_hertz) / SAMPLE_RATE_HERTZ
    voice = np.zeros_like(phase)
    for harmonic in range(1, 20):
        hertz = pitch_hertz * harmonic
        height = sum(peak * np.exp(-(((hertz - centre) / 150) ** 2)) for centre, peak in _FORMANTS)
        voice += (height + 0.05 / harmonic) * np.sin(harmonic * phase)
    audio: Audio = (voice / np.abs(voice).max() * 0.4).astype(np.float32)
    return audio


def heard(samples: NDArray[np.int16]) -> Audio:
    audio: Audio = (samples / 32768).astype(np.float32)
    return audio


def held(
    detector: MusicDetector, audio: Audio, speech_probabilities: list[float] | None = None
) -> list[bool]:
    """What the detector says window by window; all windows sound like speech unless told."""
    count = len(audio) // WINDOW_SAMPLES
    probabilities = speech_probabilities or [1.0] * count
    windows = audio[: count * WINDOW_SAMPLES].reshape(count, WINDOW_SAMPLES)
    return [detector.accept(w, p) for w, p in zip(windows, probabilities, strict=True)]


def seconds(windows: int) -> float:
    return windows * WINDOW_SAMPLES / SAMPLE_RATE_HERTZ


@pytest.fixture(scope="module")
def speech() -> Audio:
    return heard(spoken(_SCRIPTURE))


@pytest.mark.parametrize("beat_s", [0.6, 0.8, 1.2])
@pytest.mark.parametrize("lowest_hertz", [98.0, 196.0, 294.0])
def test_a_singing_voice_is_held_within_seconds(beat_s: float, lowest_hertz: float) -> None:
    holds = held(MusicDetector(), sung(15, beat_s, lowest_hertz))
    assert 1.5 < seconds(holds.index(True)) < 8
    assert all(holds[holds.index(True) :])


def test_speech_is_never_held(speech: Audio) -> None:
    assert not any(held(MusicDetector(), np.tile(speech, 3)))


@pytest.mark.parametrize("level", [0.05, 0.2, 0.5])
def test_speech_over_chords_is_never_held(speech: Audio, level: float) -> None:
    chords = heard(music(len(speech) / SAMPLE_RATE_HERTZ + 1))[: len(speech)]
    assert not any(held(MusicDetector(), speech + level * chords))


def test_speech_in_an_echoing_room_is_never_held(speech: Audio) -> None:
    length = SAMPLE_RATE_HERTZ // 2
    echo = np.random.default_rng(5).normal(0, 1, length) * 10 ** (-3 * np.arange(length) / length)
    echo[0] = 0.7 * np.linalg.norm(echo)
    size = 2 ** int(np.ceil(np.log2(len(speech) + length)))
    room = np.fft.irfft(np.fft.rfft(speech, size) * np.fft.rfft(echo, size))[: len(speech)]
    assert not any(held(MusicDetector(), (room / np.abs(room).max()).astype(np.float32)))


def test_speech_as_voice_activity_hears_it_is_never_held(speech: Audio) -> None:
    activity = VoiceActivity(VoiceActivityModel())
    count = len(speech) // WINDOW_SAMPLES
    windows = speech[: count * WINDOW_SAMPLES].reshape(count, WINDOW_SAMPLES)
    probabilities = [activity.probability(window) for window in windows]
    assert not any(held(MusicDetector(), speech, probabilities))


def test_a_pitch_that_glides_all_the_time_is_never_held() -> None:
    times_s = np.arange(20 * SAMPLE_RATE_HERTZ) / SAMPLE_RATE_HERTZ
    up_and_down = np.abs(times_s % 2 - 1)  # an octave and back in two seconds
    assert not any(held(MusicDetector(), voiced(120 * 2**up_and_down)))


@pytest.mark.parametrize("level", [0.0, 0.05, 0.3])
def test_noise_and_silence_are_never_held(level: float) -> None:
    assert not any(held(MusicDetector(), heard(white_noise(12, level))))


def test_what_does_not_sound_like_speech_is_no_matter_for_captions() -> None:
    audio = sung(12)
    assert not any(held(MusicDetector(), audio, [0.2] * (len(audio) // WINDOW_SAMPLES)))


def test_speech_after_a_song_lets_go_within_a_second_and_a_half(speech: Audio) -> None:
    detector = MusicDetector()
    assert held(detector, sung(15))[-1]
    holds = held(detector, speech)
    assert seconds(holds.index(False)) < 1.5
    assert not any(holds[holds.index(False) :])


def test_a_rest_in_the_song_does_not_let_go_and_its_end_does() -> None:
    detector = MusicDetector()
    assert held(detector, sung(15))[-1]
    rest = np.zeros(2 * SAMPLE_RATE_HERTZ, dtype=np.float32)
    assert all(held(detector, rest, [0.0] * (len(rest) // WINDOW_SAMPLES)))
    assert not held(detector, rest, [0.0] * (len(rest) // WINDOW_SAMPLES))[-1]


def test_reset_forgets() -> None:
    detector, fresh = MusicDetector(), MusicDetector()
    assert held(detector, sung(15))[-1]
    detector.reset()
    assert held(detector, sung(15)) == held(fresh, sung(15))


def test_broken_samples_are_no_song() -> None:
    nan = np.full(SAMPLE_RATE_HERTZ, np.nan, dtype=np.float32)
    detector = MusicDetector()
    assert not any(held(detector, nan, [float("nan")] * (len(nan) // WINDOW_SAMPLES)))
    assert held(detector, sung(15))[-1]
