"""What FFmpeg's filters measure of a clip and do to it: loudness after EBU R 128, denoising."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from services.audio import SAMPLE_RATE_HERTZ
from services.stt.engine import Samples

# EBU R 128 (2020), recommendation e: the programme loudness to aim at.
TARGET_LUFS = -23.0
# The same, recommendation i, gives -1 dBTP; of speech at 16 kHz the samples' own peak is near it.
_MAX_PEAK = 10 ** (-1 / 20)
# What FFmpeg's afftdn takes for the level of the noise (FFmpeg filters documentation, afftdn).
_NOISE_FLOOR_DBFS = (-80, -20)
# It works in windows of so many samples (libavfilter/af_afftdn.c), and gives them late by one.
_DELAY_SAMPLES = SAMPLE_RATE_HERTZ // 40
# As much as it may take away: more and speech begins to ring.
_REDUCTION_DB = 12


def loudness_lufs(samples: Samples) -> float:
    """Integrated loudness (ITU-R BS.1770-4, gated); -inf for less than 400 ms and for silence."""
    frames = _filtered(samples, "ebur128", "metadata=1")
    measured = [frame.metadata.get("lavfi.r128.I", "") for frame in frames]
    # FFmpeg says -70 where nothing passed the absolute gate.
    loudness = float(next((figure for figure in reversed(measured) if figure), "-70"))
    return loudness if loudness > -70 else -math.inf


def normalised(samples: Samples, loudness: float) -> Samples:
    """The clip at TARGET_LUFS, or as near as its peaks allow.

    Args:
        loudness: what `loudness_lufs` says of it; finite.
    """
    gain = 10 ** ((TARGET_LUFS - loudness) / 20)
    louder: Samples = samples * np.float32(min(gain, _MAX_PEAK / float(np.abs(samples).max())))
    return louder


def denoised(samples: Samples, noise_power: float) -> Samples:
    """The clip with its steady noise some 12 dB quieter: fans, hiss, hum.

    Args:
        noise_power: mean square in its pauses, above 0. It has to be told: left to find out by
            itself, the filter hardly does anything to a clip of some seconds.
    """
    low, high = _NOISE_FLOOR_DBFS
    floor_dbfs = round(min(max(10 * math.log10(noise_power), low), high))
    padded = np.pad(samples, (0, _DELAY_SAMPLES))
    frames = _filtered(
        padded, "afftdn", f"noise_reduction={_REDUCTION_DB}:noise_floor={floor_dbfs}"
    )
    pieces = [frame.to_ndarray().reshape(-1) for frame in frames]
    quiet: Samples = np.concatenate(pieces).astype(np.float32)
    return quiet[_DELAY_SAMPLES:]


def _filtered(samples: Samples, name: str, options: str) -> Iterator[Any]:
    """The frames that a filter makes of mono samples at 16 kHz."""
    import av
    from av.filter import Graph

    clock = Fraction(1, SAMPLE_RATE_HERTZ)
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=SAMPLE_RATE_HERTZ, format="flt", layout="mono", time_base=clock
    )
    graph.link_nodes(source, graph.add(name, options), graph.add("abuffersink")).configure()
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(samples, dtype=np.float32)[None], format="flt", layout="mono"
    )
    frame.sample_rate, frame.time_base, frame.pts = SAMPLE_RATE_HERTZ, clock, 0
    graph.push(frame)
    graph.push(None)
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
