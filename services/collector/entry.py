"""A pair as an entry of a Redis stream: one field a value, every value a string.

A value that is missing has no field, nor has an empty list. Lists are one field of JSON, in the
order they came. An entry of the stream "corrected" has the fields of a scored pair with the texts
as a person decided, the decision beside them, and as its sequence and time those of the decision.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from services.collector.bands import Band
from services.collector.pair import (
    Decision,
    ExcludedPair,
    Judged,
    Pair,
    ReviewedPair,
    ScoredPair,
    Signal,
)
from services.collector.pair_keys import EXCLUDED


def to_fields(pair: ScoredPair | ReviewedPair) -> dict[str, str]:
    """The entry of a pair; numbers as Python writes them, so that they come back the same.

    A signal that is no finite number, for which a pair is excluded, has no value.
    """
    if isinstance(pair, ScoredPair):
        return _judged(pair)
    return _judged(pair.machine) | {
        "source_text": pair.source_text,
        "target_text": pair.target_text,
        "sequence": str(pair.sequence),
        "time": _instant(pair.time),
        "decision": pair.decision.value,
        "reviewer": pair.reviewer,
        "review_id": pair.review_id,
        "review_revision": str(pair.revision),
        "original_source_text": pair.pair.source_text,
        "original_target_text": pair.pair.target_text,
    }


def from_fields(fields: Mapping[str, str]) -> ScoredPair:
    """The scored pair of an entry in a band's stream, or of one that waits for review.

    Raises:
        ValueError: this is no entry that `to_fields` wrote.
    """
    with _checked():
        return ScoredPair(
            pair=_pair(fields),
            band=Band(fields["band"]),
            quality_score=float(fields["quality_score"]),
            stt_confidence=_number(fields, "stt_confidence"),
            translation_qe=_number(fields, "translation_qe"),
            marian_agreement=_number(fields, "marian_agreement"),
            caps=_texts(json.loads(fields.get("caps", "[]"))),
            calibration=fields.get("calibration", ""),
        )


def reviewed_from_fields(fields: Mapping[str, str]) -> ReviewedPair:
    """The decision of an entry in the stream "corrected".

    Raises:
        ValueError: this is no entry that `to_fields` wrote.
    """
    with _checked():
        machine = {
            **fields,
            "source_text": fields["original_source_text"],
            "target_text": fields["original_target_text"],
        }
        return ReviewedPair(
            machine=ExcludedPair(_pair(machine), fields["exclusion"])
            if fields["band"] == EXCLUDED
            else from_fields(machine),
            sequence=int(fields["sequence"]),
            time=datetime.fromisoformat(fields["time"]),
            decision=Decision(fields["decision"]),
            source_text=fields["source_text"],
            target_text=fields["target_text"],
            reviewer=fields["reviewer"],
            review_id=fields["review_id"],
            revision=int(fields["review_revision"]),
        )


@contextlib.contextmanager
def _checked() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not an entry of a pair: {error!r}") from error


def _judged(judged: Judged) -> dict[str, str]:
    pair = judged.pair
    fields: dict[str, object] = {
        "pair_id": pair.pair_id,
        "band": EXCLUDED if isinstance(judged, ExcludedPair) else judged.band.value,
        "session_id": pair.session_id,
        "segment_id": pair.segment_id,
        "source_language": pair.source_language,
        "target_language": pair.target_language,
        "source_text": pair.source_text,
        "target_text": pair.target_text,
        **_judgement(judged),
        "signals": _json(
            [
                {"name": signal.name, "value": _finite(signal.value), "model": signal.model}
                for signal in pair.signals
            ]
        ),
        "flags": _json(pair.flags) if pair.flags else None,
        "missing_terms": _json(pair.missing_terms) if pair.missing_terms else None,
        "time": _instant(pair.time),
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


def _judgement(judged: Judged) -> dict[str, object]:
    if isinstance(judged, ExcludedPair):
        return {"exclusion": judged.reason}
    return {
        "quality_score": judged.quality_score,
        "stt_confidence": judged.stt_confidence,
        "translation_qe": judged.translation_qe,
        "marian_agreement": judged.marian_agreement,
        "caps": _json(judged.caps) if judged.caps else None,
        "calibration": judged.calibration or None,
    }


def _pair(fields: Mapping[str, str]) -> Pair:
    return Pair(
        sequence=int(fields["sequence"]),
        time=datetime.fromisoformat(fields["time"]),
        session_id=fields["session_id"],
        segment_id=int(fields["segment_id"]),
        source_language=fields["source_language"],
        target_language=fields["target_language"],
        source_text=fields["source_text"],
        target_text=fields["target_text"],
        signals=tuple(map(_signal, json.loads(fields["signals"]))),
        stt_model=fields["stt_model"],
        mt_model=fields["mt_model"],
        start_offset_ms=int(fields["start_offset_ms"]),
        end_offset_ms=int(fields["end_offset_ms"]),
        avg_logprob=_number(fields, "avg_logprob"),
        no_speech_prob=_number(fields, "no_speech_prob"),
        compression_ratio=_number(fields, "compression_ratio"),
        flags=_texts(json.loads(fields.get("flags", "[]"))),
        missing_terms=tuple(
            (source, target)
            for source, target in map(_texts, json.loads(fields.get("missing_terms", "[]")))
        ),
    )


def _signal(fields: Mapping[str, Any]) -> Signal:
    name, model = _texts([fields["name"], fields["model"]])
    value = fields["value"]
    return Signal(name, None if value is None else float(value), model)


def _texts(found: object) -> tuple[str, ...]:
    """Raises TypeError unless it is a list of texts."""
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise TypeError("what ought to be a list of texts is none")
    return tuple(found)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _number(fields: Mapping[str, str], name: str) -> float | None:
    return float(fields[name]) if name in fields else None
