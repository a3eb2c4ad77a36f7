"""A text in the smallest pieces that a cue may be broken into, each with its time."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

import regex

from services.captions.transcripts.columns import clusters, columns
from services.captions.transcripts.transcript import Segment, Text

# Scripts that are written without blanks and may be broken between any two characters, but for
# signs (UAX #14, classes ID and CJ).
_UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]")
_REMOVED = frozenset(("Cc", "Cs"))
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, or a piece of one that is too long for a line.

    Args:
        has_blank: whether a blank stands before it.
        is_whole: whether a break before it breaks no word.
    """

    text: str
    columns: int
    has_blank: bool
    is_whole: bool
    start_ms: int
    end_ms: int


def units(segment: Segment, text: Text, line_columns: int) -> tuple[Unit, ...]:
    """The text of a segment in one language; no unit is wider than a line.

    Times are those of the words that were heard; where these are not known, they are in
    proportion to the characters. They never go back.
    """
    pieces = list(_pieces(clean(text.text), line_columns))
    times = _times(segment, text, sum(len(piece) for piece, _, _ in pieces))
    made: list[Unit] = []
    position, shown_ms = 0, times[0][0] if times else 0
    for piece, has_blank, is_whole in pieces:
        start_ms = max(shown_ms, times[position][0])
        position += len(piece)
        shown_ms = max(start_ms, times[position - 1][1])
        made.append(Unit(piece, columns(piece), has_blank, is_whole, start_ms, shown_ms))
    return tuple(made)


def clean(text: str) -> str:
    """The text in one line, without control characters: no player shows them, some break on one."""
    if text.isprintable():
        return " ".join(text.split())
    kept = (
        " " if each.isspace() else each
        for each in text
        if each.isspace()
        or (each != _BYTE_ORDER_MARK and unicodedata.category(each) not in _REMOVED)
    )
    return " ".join("".join(kept).split())


def _pieces(line: str, line_columns: int) -> Iterator[tuple[str, bool, bool]]:
    """Text, has_blank and is_whole of each unit."""
    for word in line.split():
        if columns(word) <= line_columns and (word.isascii() or not _UNSPACED.search(word)):
            yield word, True, True
            continue
        before = ""
        for piece in clusters(word):
            yield piece, not before, not before or _may_part(before, piece)
            before = piece


def _times(segment: Segment, text: Text, character_count: int) -> list[tuple[int, int]]:
    """Start and end of each character that is not blank, in milliseconds."""
    spans = [
        (len(clean(word.text).replace(" ", "")), word.start_offset_ms, word.end_offset_ms)
        for word in text.words
    ]
    if sum(span[0] for span in spans) != character_count:
        spans = [(character_count, segment.start_offset_ms, segment.end_offset_ms)]
    return [
        (start_ms + length_ms * index // count, start_ms + length_ms * (index + 1) // count)
        for count, start_ms, end_ms in spans
        for length_ms in (max(0, end_ms - start_ms),)
        for index in range(count)
    ]


def _may_part(left: str, right: str) -> bool:
    """Whether a line may end between two characters: not before a closing sign, nor after "("."""
    return (
        bool(_UNSPACED.search(left) or _UNSPACED.search(right))
        and unicodedata.category(right[0]) not in ("Po", "Pe", "Pf", "Pd", "Lm")
        and unicodedata.category(left[-1]) not in ("Ps", "Pi")
    )
