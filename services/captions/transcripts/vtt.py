"""Cues as WebVTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Iterable

from services.captions.transcripts.cues import Cue
from services.captions.transcripts.passages import Line

VTT_HEADER = "WEBVTT\n"


def webvtt(cues: Iterable[Cue], *, with_words: bool = False, header: str = VTT_HEADER) -> str:
    """A whole file; with words, each that was heard at a known time says when it was."""
    blocks = (
        vtt_cue(cue, number, with_words=with_words) for number, cue in enumerate(cues, start=1)
    )
    return header + "".join("\n" + block for block in blocks)


def vtt_cue(cue: Cue, number: int, *, with_words: bool = False) -> str:
    """One cue, to be set off from what is before it by a blank line."""
    lines = [
        _timed_line(cue, line) if with_words and is_timed else _escaped(line_text(line))
        for line, is_timed in zip(cue.lines, cue.has_word_times, strict=True)
    ]
    times = f"{vtt_time(cue.start_ms)} --> {vtt_time(cue.end_ms)}"
    return "\n".join((str(number), times, *lines)) + "\n"


def line_text(line: Line) -> str:
    """The units of a line as they are read."""
    return "".join(f" {unit.text}" if unit.has_blank else unit.text for unit in line).lstrip()


def vtt_time(offset_ms: int) -> str:
    """hh:mm:ss.ttt"""
    seconds, ms = divmod(max(0, offset_ms), 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}.{ms:03}"


def _timed_line(cue: Cue, line: Line) -> str:
    """The line with a timestamp before each word that is said after the cue begins.

    Timestamps lie within their cue and go up (WebVTT, 3.3 "WebVTT timestamps"); a word that is
    said at the same time as another one has none of its own.
    """
    pieces = []
    said_ms = cue.start_ms
    for index, unit in enumerate(line):
        blank = " " if unit.has_blank and index else ""
        stamp = ""
        if said_ms < unit.start_ms < cue.end_ms:
            said_ms = unit.start_ms
            stamp = f"<{vtt_time(said_ms)}>"
        pieces.append(f"{blank}{stamp}{_escaped(unit.text)}")
    return "".join(pieces)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
