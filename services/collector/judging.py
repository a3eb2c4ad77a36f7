"""What the machine makes of a pair: excluded for a reason, or scored and put in a band."""

from __future__ import annotations

from services.collector.bands import DEFAULT_THRESHOLDS, Thresholds, band_of
from services.collector.calibration import IDENTITY, Calibration
from services.collector.caps import caps
from services.collector.composite import (
    DEFAULT_WEIGHTS,
    Measured,
    Weights,
    composite,
    stt_confidence,
)
from services.collector.filters import INVALID_SIGNAL, NO_SIGNALS, exclusion
from services.collector.pair import ExcludedPair, Judged, Pair, ScoredPair


def judge(
    pair: Pair,
    weights: Weights = DEFAULT_WEIGHTS,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    calibration: Calibration = IDENTITY,
) -> Judged:
    """Excludes or scores a pair; a number that cannot be right excludes it, too.

    Args:
        thresholds: where the bands begin, whatever the calibration says of them.
    """
    try:
        reason = exclusion(pair)
        measured = Measured(
            translation_qe=pair.signal("translation_qe"),
            stt_confidence=_confidence(pair, calibration),
            marian_agreement=pair.signal("marian_agreement"),
            heuristic_quality=pair.signal("heuristic_quality"),
        )
        score = composite(measured, weights)
    except ValueError:
        return ExcludedPair(pair, INVALID_SIGNAL)
    if reason is not None:
        return ExcludedPair(pair, reason)
    if score is None:
        return ExcludedPair(pair, NO_SIGNALS)
    values = {signal.name: signal.value for signal in pair.signals}
    found = caps(values, pair.flags, pair.missing_terms)
    return ScoredPair(
        pair=pair,
        band=band_of(score, measured, thresholds, found),
        quality_score=score,
        stt_confidence=measured.stt_confidence,
        translation_qe=measured.translation_qe,
        marian_agreement=measured.marian_agreement,
        caps=found,
        calibration=calibration.id,
    )


def _confidence(pair: Pair, calibration: Calibration) -> float | None:
    if pair.avg_logprob is None:
        return None
    return calibration.confidence(pair.stt_model, stt_confidence(pair.avg_logprob))
