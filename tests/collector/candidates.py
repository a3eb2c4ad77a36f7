"""Candidates for datasets, and the rows that they become."""

from __future__ import annotations

from typing import Any

from services.collector.candidate import Candidate
from services.collector.row import Row, Tier


def candidate(segment_id: int, source_text: str, **changes: Any) -> Candidate:
    """An accepted pair unless something is changed."""
    session_id = changes.get("session_id", "session-a")
    values = {
        "pair_id": f"{session_id}/{segment_id}/{changes.get('target_language', 'es')}",
        "session_id": session_id,
        "segment_id": segment_id,
        "source_language": "en",
        "target_language": "es",
        "source_text": source_text,
        "target_text": f"es: {source_text}",
        "band": "accept",
        "quality_score": 0.9,
        "stt_confidence": 0.9,
        "translation_qe": 0.9,
        "marian_agreement": None,
        "stt_model": "rule/stt",
        "mt_model": "rule/mt",
        "start_offset_ms": segment_id * 1000,
        "end_offset_ms": segment_id * 1000 + 900,
        "sequence": segment_id,
    }
    return Candidate(**{**values, **changes})


def row(candidate: Candidate | None, tier: Tier = Tier.ACCEPTED, text: str = "") -> Row:
    source_text = candidate.source_text if candidate else text
    return Row(tier, 1.0, 0, source_text, f"es: {source_text}", candidate)
