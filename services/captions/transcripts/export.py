"""What a person asked for, checked, and the file that they get."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

from services.captions.transcripts.cues import cues
from services.captions.transcripts.srt import subrip
from services.captions.transcripts.structured import transcript_json
from services.captions.transcripts.transcript import Transcript, language_of
from services.captions.transcripts.txt import plain_text
from services.captions.transcripts.vtt import webvtt
from services.errors import InvalidInput

Format = Literal["vtt", "srt", "txt", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
CONTENT_TYPES: dict[Format, str] = {
    "vtt": "text/vtt",
    "srt": "application/x-subrip",
    "txt": "text/plain",
    "json": "application/json",
}

_LONGEST_OFFSET_MS = 24 * 3600 * 1000
_OFFSET = re.compile(r"([+-]?)(?:(?:(\d{1,3}):)?(\d{1,3}):)?(\d{1,6})(?:[.,](\d{1,3}))?", re.ASCII)
_NAME_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """Which file of a session.

    Args:
        language: BCP 47; empty: all of them in JSON, else the first translation, or with words
            the language spoken.
        second: a language to stand below the first; empty: none.
        with_words: whether the time of each word is wanted.
        offset_ms: added to the times of cues.

    Raises:
        InvalidInput: INVALID_REQUEST.
    """

    format: Format
    language: str = ""
    second: str = ""
    with_words: bool = False
    offset_ms: int = 0

    def __post_init__(self) -> None:
        if self.with_words and self.format not in ("vtt", "json"):
            raise _refused(f"{self.format} has no times of words; ask for vtt or json")
        if self.offset_ms and self.format not in ("vtt", "srt"):
            raise _refused(f"an offset moves the cues of vtt and srt; {self.format} has none")


@dataclass(frozen=True, slots=True)
class Export:
    """A file to be written or sent."""

    text: str
    file_name: str
    content_type: str


def exported(transcript: Transcript, request: ExportRequest) -> Export:
    """Raises NotFound: UNKNOWN_LANGUAGE; InvalidInput: INVALID_REQUEST."""
    languages = _languages(transcript, request)
    match request.format:
        case "txt":
            text = plain_text(transcript, *languages)
        case "json":
            text = transcript_json(transcript, languages, with_words=request.with_words)
        case "srt":
            text = subrip(cues(transcript.segments, languages, request.offset_ms))
        case "vtt":
            shown = cues(transcript.segments, languages, request.offset_ms)
            text = webvtt(shown, with_words=request.with_words)
    name = file_name(transcript, languages, request.format)
    return Export(text, name, CONTENT_TYPES[request.format])


def offset_ms_of(text: str) -> int:
    """Milliseconds of "90", "-12.5", "1:30" or "-1:02:03.4".

    Raises:
        InvalidInput: INVALID_REQUEST.
    """
    found = _OFFSET.fullmatch(text.strip())
    if found is None:
        raise _refused("an offset is [-]h:m:s or seconds: 90, -12.5, 1:30, -0:02:30")
    sign, hours, minutes, seconds, fraction = found.groups(default="")
    whole_s = 3600 * int(hours or 0) + 60 * int(minutes or 0) + int(seconds)
    offset_ms = 1000 * whole_s + int(f"{fraction:0<3}")
    if offset_ms > _LONGEST_OFFSET_MS:
        raise _refused("an offset is 24 hours at most")
    return -offset_ms if sign == "-" else offset_ms


def file_name(transcript: Transcript, languages: tuple[str, ...], ending: str) -> str:
    """Title, date and language, in characters that every file system takes."""
    began = transcript.start_time
    title = re.sub(r"[^\w]+", "-", transcript.title)[:_NAME_CHARACTERS].strip("-_")
    date = f"{began.astimezone():%Y-%m-%d}" if began is not None else ""
    name = "-".join(part for part in (title or "session", date) if part)
    return ".".join((name, "-".join(languages), ending))


def _languages(transcript: Transcript, request: ExportRequest) -> tuple[str, ...]:
    if request.language:
        first = language_of(transcript.languages, request.language)
    elif request.format == "json" and not request.second:
        return transcript.languages
    elif request.with_words or not transcript.target_languages:
        first = transcript.source_language
    else:
        first = transcript.target_languages[0]
    if not request.second:
        languages: tuple[str, ...] = (first,)
    else:
        languages = (first, language_of(transcript.languages, request.second))
    if len(set(languages)) < len(languages):
        raise _refused(f"the second language is the first one, {first}: name another")
    if request.with_words and transcript.source_language not in languages:
        raise _refused(
            f"the times of words are known in {transcript.source_language} alone, which was spoken"
        )
    return languages


def _refused(message: str) -> InvalidInput:
    return InvalidInput("INVALID_REQUEST", message)
