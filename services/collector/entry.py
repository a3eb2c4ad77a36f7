"""A scored pair as an entry of a Redis stream: one field a value, every value a string.

A value that is missing has no field. Signals are one field of JSON, in the order they came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from services.collector.bands import Band
from services.collector.pair import Pair, ScoredPair, Signal


def to_fields(scored: ScoredPair) -> dict[str, str]:
    """The entry of a scored pair; numbers as Python writes them, so that they come back the same.

    Raises:
        ValueError: a signal is NaN or infinite.
    """
    pair = scored.pair
    fields: dict[str, object] = {
        "pair_id": pair.pair_id,
        "band": scored.band.value,
        "session_id": pair.session_id,
        "segment_id": pair.segment_id,
        "source_language": pair.source_language,
        "target_language": pair.target_language,
        "source_text": pair.source_text,
        "target_text": pair.target_text,
        "quality_score": scored.quality_score,
        "stt_confidence": scored.stt_confidence,
        "translation_qe": scored.translation_qe,
        "marian_agreement": scored.marian_agreement,
        "signals": json.dumps(
            [
                {"name": signal.name, "value": signal.value, "model": signal.model}
                for signal in pair.signals
            ],
            ensure_ascii=False,
            allow_nan=False,
        ),
        "time": pair.time.astimezone(UTC).isoformat(),
        "stt_model": pair.stt_model,
        "mt_model": pair.mt_model,
        "start_offset_ms": pair.start_offset_ms,
        "end_offset_ms": pair.end_offset_ms,
        "avg_logprob": pair.avg_logprob,
        "no_speech_prob": pair.no_speech_prob,
        "compression_ratio": pair.compression_ratio,
        "sequence": pair.sequence,
    }
    return {name: str(value) for name, value in fields.items() if value is not None}


def from_fields(fields: Mapping[str, str]) -> ScoredPair:
    """The scored pair of an entry.

    Raises:
        ValueError: this is no entry that `to_fields` wrote.
    """
    try:
        return ScoredPair(
            pair=Pair(
                sequence=int(fields["sequence"]),
                time=datetime.fromisoformat(fields["time"]),
                session_id=fields["session_id"],
                segment_id=int(fields["segment_id"]),
                source_language=fields["source_language"],
                target_language=fields["target_language"],
                source_text=fields["source_text"],
                target_text=fields["target_text"],
                signals=tuple(
                    Signal(signal["name"], signal["value"], signal["model"])
                    for signal in json.loads(fields["signals"])
                ),
                stt_model=fields["stt_model"],
                mt_model=fields["mt_model"],
                start_offset_ms=int(fields["start_offset_ms"]),
                end_offset_ms=int(fields["end_offset_ms"]),
                avg_logprob=_number(fields, "avg_logprob"),
                no_speech_prob=_number(fields, "no_speech_prob"),
                compression_ratio=_number(fields, "compression_ratio"),
            ),
            band=Band(fields["band"]),
            quality_score=float(fields["quality_score"]),
            stt_confidence=_number(fields, "stt_confidence"),
            translation_qe=_number(fields, "translation_qe"),
            marian_agreement=_number(fields, "marian_agreement"),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an entry of a scored pair: {error!r}") from error


def _number(fields: Mapping[str, str], name: str) -> float | None:
    return float(fields[name]) if name in fields else None
