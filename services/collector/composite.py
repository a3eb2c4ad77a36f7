"""The composite score of a pair: how far translation and transcript can be trusted together.

Pure. A missing signal is missing, never zero or one: the weights are shared among those that are
there, and what is missing limits the band (see bands.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# A sum of products that ought to meet a threshold must meet it: 0.45 * 0.85 + 0.35 * 0.85 +
# 0.20 * 0.85 is 0.8499999999999999 in binary.
_SCORE_DECIMALS = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """What is known of a pair. Every value is in [0, 1], greater is better, or None: not measured.

    Args:
        translation_qe: a learned quality estimation (CometKiwi).
        stt_confidence: the recogniser's confidence, see `stt_confidence` and calibration.py.
        marian_agreement: agreement with an independent Marian translation.
        heuristic_quality: quality by rules; stands in for translation_qe where that is missing.
    """

    translation_qe: float | None = None
    stt_confidence: float | None = None
    marian_agreement: float | None = None
    heuristic_quality: float | None = None

    @property
    def translation_quality(self) -> float | None:
        """The composite's translation term: the learned estimation, else the rules' stand-in."""
        return self.heuristic_quality if self.translation_qe is None else self.translation_qe

    @property
    def is_complete(self) -> bool:
        """Whether all three terms of the composite were measured, none by a stand-in."""
        return None not in (self.translation_qe, self.stt_confidence, self.marian_agreement)


@dataclass(frozen=True, slots=True)
class Weights:
    """The share of each term, greater than zero. Source: docs/architecture.md, Collection."""

    translation_qe: float = 0.45
    stt_confidence: float = 0.35
    marian_agreement: float = 0.20


DEFAULT_WEIGHTS = Weights()


def composite(measured: Measured, weights: Weights = DEFAULT_WEIGHTS) -> float | None:
    """The weighted mean of the terms that are there, in [0, 1]; None when there is not one.

    With all three: 0.45 translation QE + 0.35 STT confidence + 0.20 Marian agreement. Never falls
    when a measured value rises.

    Raises:
        ValueError: a value is NaN or outside [0, 1].
    """
    for value in (
        measured.translation_qe,
        measured.stt_confidence,
        measured.marian_agreement,
        measured.heuristic_quality,
    ):
        check_unit_interval(value)
    terms = [
        (value, weight)
        for value, weight in (
            (measured.translation_quality, weights.translation_qe),
            (measured.stt_confidence, weights.stt_confidence),
            (measured.marian_agreement, weights.marian_agreement),
        )
        if value is not None
    ]
    if not terms:
        return None
    mean = math.fsum(value * weight for value, weight in terms) / math.fsum(
        weight for _, weight in terms
    )
    return round(min(1.0, mean), _SCORE_DECIMALS)


def stt_confidence(avg_logprob: float) -> float:
    """The recogniser's confidence in [0, 1]: 1 / (1 + exp(-10 * (avg_logprob + 0.3))).

    A logistic curve that gives one half at a mean log-probability of -0.3 (a word probability of
    0.74) and 0.95 at 0. Source: docs/architecture.md, Collection.

    Args:
        avg_logprob: mean natural logarithm of the word probabilities, <= 0.

    Raises:
        ValueError: avg_logprob is not a finite number.
    """
    if not math.isfinite(avg_logprob):
        raise ValueError(f"avg_logprob must be a finite number, not {avg_logprob}")
    x = 10.0 * (avg_logprob + 0.3)
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))  # the same, where exp(-x) would overflow


def check_unit_interval(value: float | None) -> None:
    """Raises ValueError for a number that is NaN or outside [0, 1]; None is no number."""
    if value is not None and not 0.0 <= value <= 1.0:
        raise ValueError(f"a signal must lie in [0, 1], not be {value}")
