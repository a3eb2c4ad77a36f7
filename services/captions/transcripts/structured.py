"""A transcript as JSON; docs/exports.md says what each field is."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from services.captions.transcripts.transcript import Segment, Transcript, Word


def transcript_json(
    transcript: Transcript, languages: Collection[str], *, with_words: bool = False
) -> str:
    """The session and its segments in some languages; fields are named as the protos name them."""
    began = transcript.start_time
    whole = {
        "session": {
            "session_id": transcript.session_id,
            "title": transcript.title,
            "source_language": transcript.source_language,
            "target_languages": transcript.target_languages,
            "is_live": transcript.is_live,
            "start_time": began.isoformat() if began is not None else None,
        },
        "segments": [
            _segment(each, transcript.source_language, languages, with_words)
            for each in transcript.segments
            if not each.texts.keys().isdisjoint(languages)
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _segment(
    segment: Segment, source_language: str, languages: Collection[str], with_words: bool
) -> dict[str, Any]:
    texts = []
    for language, text in segment.texts.items():
        if language not in languages:
            continue
        is_source = language == source_language
        fields: dict[str, Any] = {
            "language": language,
            "text": text.text,
            "is_source": is_source,
            "is_corrected": text.is_corrected,
        }
        if with_words and is_source:
            fields["words"] = [_word(each) for each in text.words]
        texts.append(fields)
    return {
        "segment_id": segment.segment_id,
        "start_offset_ms": segment.start_offset_ms,
        "end_offset_ms": segment.end_offset_ms,
        "texts": texts,
    }


def _word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "start_offset_ms": word.start_offset_ms,
        "end_offset_ms": word.end_offset_ms,
        "probability": word.probability,
    }
