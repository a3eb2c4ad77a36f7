"""Transcripts from what captions keeps of a session."""

from __future__ import annotations

from services.captions.events import Caption
from services.captions.history import SessionRecord
from services.captions.transcripts.transcript import Segment, Text, Transcript


def remembered(record: SessionRecord) -> Transcript:
    """The session as it is now, without what is hidden. The times of words are not kept here."""
    offsets: dict[int, tuple[int, int]] = {}
    texts: dict[int, dict[str, Text]] = {}
    for language in (record.source_language, *record.target_languages):
        for caption in record.finals(language):
            offsets.setdefault(caption.segment_id, (caption.start_offset_ms, caption.end_offset_ms))
            texts.setdefault(caption.segment_id, {})[language] = Text(
                caption.stable_text, caption.is_corrected
            )
    segments = [Segment(each, *offsets[each], texts[each]) for each in texts]
    return Transcript(
        session_id=record.session_id,
        title=record.title,
        start_time=record.start_time,
        source_language=record.source_language,
        target_languages=record.target_languages,
        is_live=record.is_live,
        segments=tuple(sorted(segments, key=lambda each: (each.start_offset_ms, each.segment_id))),
    )


def final_segment(final: Caption) -> Segment:
    """One final in its language alone."""
    text = Text(final.stable_text, final.is_corrected)
    return Segment(
        final.segment_id, final.start_offset_ms, final.end_offset_ms, {final.language: text}
    )
