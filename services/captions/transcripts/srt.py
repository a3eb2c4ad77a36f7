"""Cues as SubRip, which every player and every video site takes.

The format has no standard and no way to escape. What players may take for a tag, an arrow or a line
break is kept apart by a sign that nobody sees; braces, which may hold styles, become parentheses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import regex

from services.captions.transcripts.cues import Cue
from services.captions.transcripts.vtt import line_text, vtt_time

WORD_JOINER = "\u2060"
# The first sign of "<b>", "</b>", "-->" and "\\N".
_TAKEN_FOR_MARKUP = regex.compile(r"<(?=[^\s<])|-(?=->)|\\(?=[Nnh])")
_BRACES = str.maketrans("{}", "()")


def subrip(cues: Iterable[Cue]) -> str:
    """A whole file."""
    return "\n".join(
        "\n".join((str(number), f"{_time(cue.start_ms)} --> {_time(cue.end_ms)}", *_lines(cue)))
        + "\n"
        for number, cue in enumerate(cues, start=1)
    )


def _lines(cue: Cue) -> Iterator[str]:
    for line in cue.lines:
        text = line_text(line).translate(_BRACES)
        yield _TAKEN_FOR_MARKUP.sub(rf"\g<0>{WORD_JOINER}", text)


def _time(offset_ms: int) -> str:
    return vtt_time(offset_ms).replace(".", ",")
