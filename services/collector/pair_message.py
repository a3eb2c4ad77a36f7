"""A pair as clients of the collector get it."""

from __future__ import annotations

from glossa.collector.v1 import collector_pb2
from glossa.types.v1 import types_pb2
from services.collector.bands import Band
from services.collector.pair import Decision, ExcludedPair, Judged, ReviewedPair, ScoredPair
from services.collector.pair_keys import CORRECTED

BAND_NUMBERS = {
    Band.ACCEPT: collector_pb2.BAND_ACCEPT,
    Band.MODERATE: collector_pb2.BAND_MODERATE,
    Band.REVIEW: collector_pb2.BAND_REVIEW,
    Band.REJECT: collector_pb2.BAND_REJECT,
}
STREAM_NUMBERS: dict[str, collector_pb2.Band] = {
    **{band.value: number for band, number in BAND_NUMBERS.items()},
    CORRECTED: collector_pb2.BAND_CORRECTED,
}
DECISION_NUMBERS = {
    Decision.ACCEPTED: types_pb2.DECISION_ACCEPTED,
    Decision.FIXED: types_pb2.DECISION_FIXED,
    Decision.REJECTED: types_pb2.DECISION_REJECTED,
    Decision.WITHDRAWN: types_pb2.DECISION_WITHDRAWN,
}


def pair_message(collected: ScoredPair | ReviewedPair) -> collector_pb2.ScoredPair:
    """A pair as clients get it; of a reviewed one the texts as decided."""
    if isinstance(collected, ScoredPair):
        return _judged_message(collected)
    message = _judged_message(collected.machine)
    message.band = collector_pb2.BAND_CORRECTED
    message.source_text = collected.source_text
    message.target_text = collected.target_text
    message.original_source_text = collected.pair.source_text
    message.original_target_text = collected.pair.target_text
    message.decision = DECISION_NUMBERS[collected.decision]
    message.reviewer = collected.reviewer
    message.review_revision = collected.revision
    return message


def _judged_message(judged: Judged) -> collector_pb2.ScoredPair:
    pair = judged.pair
    message = collector_pb2.ScoredPair(
        pair_id=pair.pair_id,
        session_id=pair.session_id,
        segment_id=pair.segment_id,
        source_language=pair.source_language,
        target_language=pair.target_language,
        source_text=pair.source_text,
        target_text=pair.target_text,
        signals=[
            types_pb2.Signal(name=signal.name, value=signal.value, model=signal.model)
            for signal in pair.signals
        ],
        stt_model=pair.stt_model,
        mt_model=pair.mt_model,
        start_offset_ms=pair.start_offset_ms,
        end_offset_ms=pair.end_offset_ms,
        sequence=pair.sequence,
        avg_logprob=pair.avg_logprob,
        no_speech_prob=pair.no_speech_prob,
        compression_ratio=pair.compression_ratio,
        flags=pair.flags,
        missing_terms=[
            types_pb2.GlossaryTerm(source=source, target=target)
            for source, target in pair.missing_terms
        ],
    )
    message.time.FromDatetime(pair.time)
    if isinstance(judged, ExcludedPair):
        message.band = collector_pb2.BAND_EXCLUDED
        return message
    message.band = BAND_NUMBERS[judged.band]
    message.quality_score = judged.quality_score
    for name in ("stt_confidence", "translation_qe", "marian_agreement"):
        value = getattr(judged, name)
        if value is not None:
            setattr(message, name, value)
    message.caps.extend(judged.caps)
    message.calibration = judged.calibration
    return message
