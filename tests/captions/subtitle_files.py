"""Subtitle files as FFmpeg reads them: a parser that knows nothing of ours."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av

_WORD_JOINER = "\u2060"  # FFmpeg's own way to keep a backslash from meaning something


@dataclass(frozen=True)
class ReadCue:
    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def read_subtitles(content: str, ending: str) -> list[ReadCue]:
    """The cues of a VTT or SRT file, with texts as a player would draw them."""
    demuxer = {"vtt": "webvtt", "srt": "srt"}[ending]
    found = []
    with av.open(io.BytesIO(content.encode()), format=demuxer) as container:
        (stream,) = container.streams.subtitles
        assert stream.time_base.denominator == 1000
        for packet in container.demux(stream):
            if not packet.size:
                continue
            events = [event.ass.decode() for event in stream.decode(packet)]
            text = "\n".join(_drawn(event) for event in events)
            found.append(ReadCue(packet.pts, packet.pts + packet.duration, tuple(text.split("\n"))))
    return found


def words_of(cues: list[ReadCue]) -> str:
    """Everything that is read, without the blanks and line breaks between."""
    return squeezed("".join("".join(cue.lines) for cue in cues))


def squeezed(text: str) -> str:
    return "".join(text.split()).replace(_WORD_JOINER, "")


def _drawn(event: str) -> str:
    """The text field of an ASS event, its escapes undone."""
    text = event.split(",", 8)[8]
    return text.replace("\\N", "\n").replace("\\{{}", "{").replace(_WORD_JOINER, "")
