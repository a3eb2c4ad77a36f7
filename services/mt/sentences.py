"""Cuts a text that is too long for a model at the ends of its sentences.

Engines count tokens exactly; out here they are estimated, a little too many rather than too few.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Beyond it translation models lose sentences.
SOURCE_TOKENS = 500
_CHARACTERS_PER_TOKEN = 3.5  # ASCII text of European languages; of other letters each is one

# Where a text may be cut, best first, what follows it included in the piece before.
_CUTS = (
    re.compile(r"(?<=[.!?…])[\"'»”’)\]]*\s+|(?<=[。！？])|\n+"),
    re.compile(r"(?<=[;:,])\s+|(?<=[、；：，])|\s+(?=[-–—]\s)"),
    re.compile(r"\s+"),
)


@dataclass(frozen=True)
class Piece:
    """A part of a text.

    Args:
        text: not blank, without blanks at its ends.
        gap: what stands between it and the next one.
        cuts_word: it had no place to be cut at, and ends within a word.
    """

    text: str
    gap: str = ""
    cuts_word: bool = False


def estimated_tokens(text: str) -> float:
    ascii_count = sum(map(str.isascii, text))
    return ascii_count / _CHARACTERS_PER_TOKEN + (len(text) - ascii_count)


def pieces(text: str, limit_tokens: float = SOURCE_TOKENS) -> list[Piece]:
    """`text` in pieces of at most `limit_tokens`; one that is within it is left as it is.

    Joined with their gaps they are the text again, without the blanks at its ends.
    """
    text = text.strip()
    if len(text) <= limit_tokens or estimated_tokens(text) <= limit_tokens:
        return [Piece(text)]
    end, cuts_word = _first_cut(text, limit_tokens)
    head, rest = text[:end].rstrip(), text[end:].lstrip()
    gap = text[len(head) : len(text) - len(rest)]
    return [Piece(head, gap, cuts_word), *pieces(rest, limit_tokens)]


def _first_cut(text: str, limit_tokens: float) -> tuple[int, bool]:
    """Where to cut so that what stands before is within the limit, as long as can be."""
    reach, tokens = 0, 0.0
    for character in text:
        tokens += 1 / _CHARACTERS_PER_TOKEN if character.isascii() else 1
        if tokens > limit_tokens:
            break
        reach += 1
    for cut in _CUTS:
        # The blanks after the last sentence that fits do not count.
        ends = [match.end() for match in cut.finditer(text) if 0 < match.start() <= reach]
        if ends:
            return ends[-1], False
    return max(reach, 1), True
