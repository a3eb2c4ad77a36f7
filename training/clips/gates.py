"""Which clips are not worth training on, by what can be measured of their sound."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from services.audio import SAMPLE_RATE_HERTZ, ms_to_samples
from services.stt.engine import Samples
from training.clips.heard_audio import HeardAudio, Span

# A window is speech, and surely none: between them lie the ends of words and their echo.
_SPEECH = 0.5
_PAUSE = 0.1
# Pauses up to this far from a clip tell its noise: within it there may be none.
_AROUND_MS = 10_000
_MIN_PAUSE_WINDOWS = 10
# What 16 bits cannot hold is no measurement: half a step, mean square.
_LEAST_POWER = (0.5 / 32768) ** 2
# Three samples in a row at full scale are an "over", as meters of digital audio count them.
_FULL_SCALE = 0.999
_OVER_SAMPLES = 3


@dataclass(frozen=True)
class Limits:
    """What a clip must keep to.

    Args:
        min_snr_db: speech over what is heard in its pauses. Below 10 dB recognisers fall apart
            (Radford et al. 2022, section 3.7): their transcripts teach nothing.
        max_clipped_share: of samples, [0, 1]. Read speech that is overdriven by 6 dB has up to
            0.9 %, and pocketsphinx loses no words by it (22 clips: 24.4 % word
            errors against 24.0 %).
        min_loudness_lufs: what is quieter was recorded in so few bits that raising it to the
            target, 30 dB and more, raises their noise above a hall's.
    """

    min_s: float = 1.0
    max_s: float = 30.0
    min_snr_db: float = 10.0
    max_clipped_share: float = 0.01
    min_loudness_lufs: float = -53.0


@dataclass(frozen=True)
class Figures:
    """What was measured of a clip before anything was done to it.

    Args:
        snr_db: None where there is no pause to hear the noise in; recordings whose pauses were
            muted by a gate show up better than they are.
        noise_power: mean square in the pauses; None with snr_db.
    """

    duration_s: float
    snr_db: float | None
    noise_power: float | None
    clipped_share: float
    loudness_lufs: float


def measure(heard: HeardAudio, span: Span, loudness_lufs: float) -> Figures:
    samples = heard.samples[span.first_sample : span.end_sample]
    noise_power = _noise_power(heard, span)
    return Figures(
        duration_s=len(samples) / SAMPLE_RATE_HERTZ,
        snr_db=None if noise_power is None else _snr_db(heard, span, noise_power),
        noise_power=noise_power,
        clipped_share=clipped_share(samples),
        loudness_lufs=loudness_lufs,
    )


def refusal(figures: Figures, limits: Limits) -> str:
    """Why the clip is refused; empty when it is not."""
    if figures.duration_s < limits.min_s:
        return "too_short"
    if figures.duration_s > limits.max_s:
        return "too_long"
    if figures.clipped_share > limits.max_clipped_share:
        return "clipped"
    if figures.loudness_lufs < limits.min_loudness_lufs:
        return "too_quiet"
    if figures.snr_db is not None and figures.snr_db < limits.min_snr_db:
        return "noisy"
    return ""


def clipped_share(samples: Samples) -> float:
    """Share of samples in runs of three and more at full scale, [0, 1]."""
    full = np.abs(samples) >= _FULL_SCALE
    edges = np.flatnonzero(np.diff(full.astype(np.int8), prepend=0, append=0))
    runs = edges[1::2] - edges[::2]
    return float(runs[runs >= _OVER_SAMPLES].sum() / max(1, len(samples)))


def _noise_power(heard: HeardAudio, span: Span) -> float | None:
    around = ms_to_samples(_AROUND_MS)
    near = heard.windows(span.first_sample - around, span.end_sample + around)
    pauses = heard.power[near][heard.speech[near] < _PAUSE]
    if len(pauses) < _MIN_PAUSE_WINDOWS:
        return None
    # The median: a cough or a door is not the noise.
    return max(float(np.median(pauses)), _LEAST_POWER)


def _snr_db(heard: HeardAudio, span: Span, noise_power: float) -> float | None:
    within = heard.windows(span.first_sample, span.end_sample)
    spoken = heard.power[within][heard.speech[within] >= _SPEECH]
    if not len(spoken):
        return None
    speech_power = max(float(spoken.mean()) - noise_power, _LEAST_POWER)
    return 10 * math.log10(speech_power / noise_power)
