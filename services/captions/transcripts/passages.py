"""A segment is broken into passages, each small enough for one cue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from services.captions.transcripts.breaks import best_break, width
from services.captions.transcripts.limits import LINES, LONGEST_CUE_MS, reading_limits
from services.captions.transcripts.units import Unit

Line = tuple[Unit, ...]
Lines = tuple[tuple[Line, ...], ...]  # of each track


@dataclass(frozen=True, slots=True)
class Track:
    """Some of a segment in one language."""

    language: str
    units: Line

    def lines(self, most: int) -> tuple[Line, ...] | None:
        """Its units in `most` lines or fewer (1 or 2); None when they do not fit."""
        line_columns = reading_limits(self.language).line_columns
        total = width(self.units)
        if total <= line_columns:
            return (self.units,)
        if most < LINES or total > LINES * line_columns:
            return None
        # The lower line a little longer: the picture stays free, the eye has less far to go back.
        index = best_break(self.units, 0.45 * total, self.language, line_columns)
        return None if index is None else (self.units[:index], self.units[index:])

    def split(self, share: float) -> tuple[Track, Track]:
        """Two parts, the first of about `share` of it; one is empty when it is a single unit."""
        index = best_break(self.units, share * width(self.units), self.language)
        if index is None:
            index = len(self.units) if share >= 0.5 else 0
        return Track(self.language, self.units[:index]), Track(self.language, self.units[index:])


@dataclass(frozen=True, slots=True)
class Passage:
    """The same part of what was said in one language or two.

    Args:
        lead: index of the track whose times count.
    """

    tracks: tuple[Track, ...]
    lead: int
    start_ms: int
    end_ms: int

    def lines(self) -> Lines | None:
        """The lines of each track, None when this is too much for one cue.

        One language may have two lines, two languages have one each.
        """
        most = LINES if len(self.tracks) == 1 else 1
        is_short = self.end_ms - self.start_ms <= LONGEST_CUE_MS
        if not is_short and len(self.tracks[self.lead].units) > 1:
            return None
        lines = tuple(each.lines(most) for each in self.tracks)
        return None if None in lines else lines  # type: ignore[return-value]

    def split(self) -> tuple[Passage, Passage]:
        """Two parts of as many cues each as they will need, broken at a good place."""
        needed = max(2, *(self._cues_needed(each) for each in self.tracks))
        share = (needed // 2) / needed
        lead = self.tracks[self.lead]
        left, right = lead.split(share)
        if left.units and right.units:
            left_ms, right_ms = left.units[-1].end_ms, right.units[0].start_ms
            share = width(left.units) / width(lead.units)  # the other is cut at the same thought
        else:
            left_ms = right_ms = self.start_ms + round(share * (self.end_ms - self.start_ms))
        parts = [(left, right) if each is lead else each.split(share) for each in self.tracks]
        lefts, rights = zip(*parts, strict=True)
        return (
            Passage(lefts, self.lead, self.start_ms, max(self.start_ms, left_ms)),
            Passage(rights, self.lead, right_ms, max(self.end_ms, right_ms)),
        )

    def _cues_needed(self, track: Track) -> int:
        lines = LINES if len(self.tracks) == 1 else 1
        held = lines * reading_limits(track.language).line_columns
        return max(
            ceil(width(track.units) / held), ceil((self.end_ms - self.start_ms) / LONGEST_CUE_MS)
        )


def passages(whole: Passage) -> Iterator[tuple[Passage, Lines]]:
    """Parts of `whole` in order, each with the lines of its tracks: they fit into a cue."""
    waiting = [whole]
    while waiting:
        passage = waiting.pop()
        lines = passage.lines()
        if lines is None:
            waiting += reversed(passage.split())
        else:
            yield passage, lines
