"""A pair as one line of JSON: what `queue export` writes."""

from __future__ import annotations

from typing import Any

BANDS = ("accept", "moderate", "review", "reject")  # best first
CORRECTED = "corrected"  # what people decided
EXPORTED_BANDS = (*BANDS, CORRECTED)


def training_object(pair: Any) -> dict[str, Any]:
    """One line of training data; what was not measured is None."""

    def measured(message: Any, field: str) -> float | None:
        return getattr(message, field) if message.HasField(field) else None

    return {
        pair.source_language: pair.source_text,
        pair.target_language: pair.target_text,
        "source": "sermon",
        "session_id": pair.session_id,
        "quality_score": score_of(pair),
        "stt_confidence": measured(pair, "stt_confidence"),
        "translation_qe": measured(pair, "translation_qe"),
        "marian_agreement": measured(pair, "marian_agreement"),
        "timestamp": timestamp(pair),
        "pair_id": pair.pair_id,
        "segment_id": pair.segment_id,
        "source_language": pair.source_language,
        "target_language": pair.target_language,
        "band": band_name(pair.band),
        "stt_model": pair.stt_model,
        "mt_model": pair.mt_model,
        "start_offset_ms": pair.start_offset_ms,
        "end_offset_ms": pair.end_offset_ms,
        "sequence": pair.sequence,
        "signals": {signal.name: measured(signal, "value") for signal in pair.signals},
        "avg_logprob": measured(pair, "avg_logprob"),
        "no_speech_prob": measured(pair, "no_speech_prob"),
        "compression_ratio": measured(pair, "compression_ratio"),
        "flags": list(pair.flags),
        "missing_terms": [
            {"source": term.source, "target": term.target} for term in pair.missing_terms
        ],
        "caps": list(pair.caps),
        "calibration": pair.calibration or None,
        "decision": decision_name(pair.decision),
        "reviewer": pair.reviewer or None,
        "review_revision": pair.review_revision,
        "original_source_text": pair.original_source_text or None,
        "original_target_text": pair.original_target_text or None,
    }


def score_of(pair: Any) -> float | None:
    """The composite; None for a pair that was excluded unscored, before a person decided about it.

    The field has no presence: such a pair comes with 0 and without any of the terms.
    """
    terms = ("stt_confidence", "translation_qe", "marian_agreement")
    is_unscored = (
        band_name(pair.band) == CORRECTED
        and not pair.quality_score
        and not any(pair.HasField(term) for term in terms)
    )
    return None if is_unscored else pair.quality_score


def timestamp(pair: Any) -> str:
    """When the pair was scored: ISO 8601 in UTC, to the millisecond."""
    from datetime import UTC

    time = pair.time.ToDatetime(tzinfo=UTC)
    return str(time.isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def decision_name(number: int) -> str | None:
    """What a person decided; None where nobody did."""
    from glossa.types.v1 import types_pb2

    if not number:
        return None
    return types_pb2.Decision.Name(number).removeprefix("DECISION_").lower()


def band_name(number: int) -> str:
    from glossa.collector.v1 import collector_pb2

    return collector_pb2.Band.Name(number).removeprefix("BAND_").lower()
