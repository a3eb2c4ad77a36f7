"""Automatic gain on real and made sounds."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.gain import MAX_GAIN_DB, AutoGain
from cli.media import level_dbfs
from tests.speech import Pcm, spoken, white_noise

CHUNK_SAMPLES = 1600
TEXT = "The Lord is my shepherd, I shall not want. He makes me lie down in green pastures."


def applied(pcm: Pcm, gain: AutoGain | None = None) -> Pcm:
    gain = gain or AutoGain()
    pieces = [
        gain.apply(pcm[start : start + CHUNK_SAMPLES].tobytes())
        for start in range(0, len(pcm), CHUNK_SAMPLES)
    ]
    return np.frombuffer(b"".join(pieces), dtype=np.int16)


def scaled(pcm: Pcm, factor: float) -> Pcm:
    return np.clip(np.rint(pcm * factor), -32768, 32767).astype(np.int16)


def test_quiet_speech_is_brought_up_to_where_loud_speech_comes_down() -> None:
    speech = np.tile(spoken(TEXT), 3)
    quiet, loud = applied(scaled(speech, 0.02)), applied(scaled(speech, 2.5))
    end = slice(len(speech) * 2 // 3, None)
    quiet_dbfs, loud_dbfs = level_dbfs(quiet[end].tobytes()), level_dbfs(loud[end].tobytes())
    assert level_dbfs(scaled(speech, 0.02).tobytes()) < -45
    assert -30 < quiet_dbfs < -17
    assert -30 < loud_dbfs < -15
    assert abs(quiet_dbfs - loud_dbfs) < 6


def test_a_quiet_room_is_not_made_loud() -> None:
    gain = AutoGain()
    room = applied(white_noise(20, level=0.002), gain)
    assert gain.gain_db == 0
    assert (
        abs(level_dbfs(room.tobytes()) - level_dbfs(white_noise(20, level=0.002).tobytes())) < 0.5
    )


def test_a_shout_after_whispering_is_not_clipped() -> None:
    gain = AutoGain()
    speech = np.tile(spoken(TEXT), 2)
    applied(scaled(speech, 0.02), gain)
    assert gain.gain_db > 10
    shout = applied(scaled(speech, 3.0), gain)
    assert np.abs(shout.astype(int)).max() <= round(32768 * 10 ** (-1 / 20))


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3200), st.floats(0, 1), st.integers(0, 2**32 - 1)), max_size=12
    )
)
def test_any_audio_keeps_its_length_and_the_gain_its_bounds(
    chunks: list[tuple[int, float, int]],
) -> None:
    gain = AutoGain()
    for length, level, seed in chunks:
        noise = np.random.default_rng(seed).uniform(-level, level, length)
        data = (noise * 32767).astype("<i2").tobytes()
        assert len(gain.apply(data)) == len(data)
        assert -12 <= gain.gain_db <= MAX_GAIN_DB
