"""Cues as SubRip, which every player and every video site takes.

The format has no standard and no way to escape: what a player might take for a tag, a style or an
arrow is kept apart by a sign that nobody sees.
"""

from __future__ import annotations

from collections.abc import Iterable

import regex

from services.captions.transcripts.cues import Cue
from services.captions.transcripts.vtt import line_text, vtt_time

WORD_JOINER = "\u2060"
# "<b>", "</b>", "{\\an8}", "{y:i}" and "-->", each cut after its first sign.
_TAKEN_FOR_MARKUP = regex.compile(r"<(?=[^\s<])|\{(?=[^\s{])|-(?=->)")


def subrip(cues: Iterable[Cue]) -> str:
    """A whole file."""
    return "\n".join(
        "\n".join((str(number), f"{_time(cue.start_ms)} --> {_time(cue.end_ms)}", *_lines(cue)))
        + "\n"
        for number, cue in enumerate(cues, start=1)
    )


def _lines(cue: Cue) -> Iterable[str]:
    return (_TAKEN_FOR_MARKUP.sub(rf"\g<0>{WORD_JOINER}", line_text(line)) for line in cue.lines)


def _time(offset_ms: int) -> str:
    return vtt_time(offset_ms).replace(".", ",")
