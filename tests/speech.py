"""Audio that the tests make themselves: spoken by flite, or synthesised."""

from __future__ import annotations

import functools
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.audio import SAMPLE_RATE_HERTZ

Pcm = NDArray[np.int16]


@functools.cache
def spoken(text: str) -> Pcm:
    """`text` spoken by flite's voice slt: mono int16 at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        subprocess.run(["flite", "-voice", "slt", "-t", text, "-o", str(path)], check=True)
        with wave.open(str(path)) as audio:
            assert (audio.getframerate(), audio.getnchannels()) == (SAMPLE_RATE_HERTZ, 1)
            return np.frombuffer(audio.readframes(audio.getnframes()), dtype=np.int16)


def silence(duration_s: float) -> Pcm:
    return np.zeros(int(duration_s * SAMPLE_RATE_HERTZ), dtype=np.int16)


def white_noise(duration_s: float, level: float = 0.05, seed: int = 7) -> Pcm:
    """Gaussian noise with standard deviation `level` of full scale."""
    samples = np.random.default_rng(seed).normal(0, level, int(duration_s * SAMPLE_RATE_HERTZ))
    return np.clip(samples * 32767, -32768, 32767).astype(np.int16)


def music(duration_s: float) -> Pcm:
    """Chords of decaying harmonics, a new one each half second: an organ of sorts."""
    times_s = np.arange(int(duration_s * SAMPLE_RATE_HERTZ)) / SAMPLE_RATE_HERTZ
    chords = [(261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196, 247, 294)]
    envelope = np.exp(-3 * (times_s % 0.5))
    samples = np.zeros_like(times_s)
    for index, chord in enumerate(chords):
        playing = (times_s // 0.5).astype(int) % len(chords) == index
        for root_hertz in chord:
            for harmonic in range(1, 5):
                wave_form = np.sin(2 * np.pi * root_hertz * harmonic * times_s) / harmonic
                samples += playing * envelope * wave_form
    return (samples / np.abs(samples).max() * 12_000).astype(np.int16)


def with_pauses(*parts: Pcm, pause_s: float = 1.2) -> Pcm:
    """The parts one after another, a pause before each and after the last."""
    pause = silence(pause_s)
    return np.concatenate([pause, *(piece for part in parts for piece in (part, pause))])


def chunks(pcm: Pcm, chunk_ms: int = 100) -> Iterator[tuple[int, bytes]]:
    """(first_sample, bytes) pieces of `pcm` as a client sends them."""
    step = SAMPLE_RATE_HERTZ * chunk_ms // 1000
    for first in range(0, len(pcm), step):
        yield first, pcm[first : first + step].tobytes()
