"""A transcript as text to read and to print."""

from __future__ import annotations

from collections.abc import Iterator

from services.captions.transcripts.transcript import Segment, Transcript
from services.captions.transcripts.units import clean

# A speaker who falls silent this long begins something new.
_PARAGRAPH_PAUSE_MS = 2000
# A speaker who never does: some ten lines, then the next full stop.
_PARAGRAPH_CHARACTERS = 900
_UNSPACED_LANGUAGES = ("zh", "ja")


def plain_text(transcript: Transcript, language: str, second: str = "") -> str:
    """Title and date, then what was said: in paragraphs, or sentence by sentence in two languages.

    Args:
        second: a language to stand below the first, sentence by sentence; empty: none.
    """
    blocks = list(_heading(transcript))
    if second:
        blocks += _pairs(transcript, (language, second))
    else:
        blocks += _paragraphs(transcript, language)
    return "\n\n".join(blocks) + "\n"


def _heading(transcript: Transcript) -> Iterator[str]:
    began = transcript.start_time
    date = f"{began.astimezone():%Y-%m-%d %H:%M}" if began is not None else ""
    lines = [line for line in (clean(transcript.title), date) if line]
    if lines:
        yield "\n".join(lines)


def _pairs(transcript: Transcript, languages: tuple[str, str]) -> Iterator[str]:
    for segment in transcript.segments:
        lines = [line for each in languages if (line := _text(segment, each))]
        if lines:
            yield "\n".join(lines)


def _paragraphs(transcript: Transcript, language: str) -> Iterator[str]:
    blank = "" if language.lower().startswith(_UNSPACED_LANGUAGES) else " "
    paragraph = ""
    said_until_ms = 0
    for segment in transcript.segments:
        text = _text(segment, language)
        if not text:
            continue
        is_new = segment.start_offset_ms - said_until_ms >= _PARAGRAPH_PAUSE_MS
        is_full = len(paragraph) >= _PARAGRAPH_CHARACTERS and paragraph.endswith((".", "?", "!"))
        if paragraph and (is_new or is_full):
            yield paragraph
            paragraph = ""
        paragraph += blank + text if paragraph else text
        said_until_ms = segment.end_offset_ms
    if paragraph:
        yield paragraph


def _text(segment: Segment, language: str) -> str:
    text = segment.texts.get(language)
    return "" if text is None else clean(text.text)
