"""Finals become cues that can be read: short lines, broken where sense allows, long enough.

See limits.py for where the figures come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from services.captions.transcripts.breaks import width
from services.captions.transcripts.limits import (
    LONGEST_CUE_MS,
    SHORTEST_CUE_MS,
    reading_limits,
)
from services.captions.transcripts.passages import Line, Passage, Track, passages
from services.captions.transcripts.transcript import Segment
from services.captions.transcripts.units import units


@dataclass(frozen=True, slots=True)
class Cue:
    """Some lines that are shown together.

    Args:
        lines: those of the first language, then those of the second.
        has_word_times: whether the units' times are those of words that were heard, by line.
        reading_ms: how long a person takes to read it.
    """

    start_ms: int
    end_ms: int
    lines: tuple[Line, ...]
    has_word_times: tuple[bool, ...]
    reading_ms: int


def cues(
    segments: Iterable[Segment],
    languages: Sequence[str],
    offset_ms: int = 0,
    free_from_ms: int = 0,
) -> list[Cue]:
    """The cues of segments, in one language or in two.

    Each lasts 1 to 7 s, begins when the one before has ended, and stays long enough to be read
    where the next one leaves it the time.

    Args:
        segments: in the order of speech.
        offset_ms: added to every time; cues that would end before 0 are left out.
        free_from_ms: end of the last cue before these.
    """
    moved = (segment.moved(offset_ms) for segment in segments)
    made = [cue for segment in moved for cue in _segment_cues(segment, languages)]
    return list(_settled([each for each in made if not offset_ms or each.end_ms > 0], free_from_ms))


def _settled(cues: Sequence[Cue], free_from_ms: int) -> Iterator[Cue]:
    """The cues with times at which they do not stand in each other's way.

    What comes too fast pushes what follows, which catches up in the next pause.
    """
    for index, cue in enumerate(cues):
        start_ms = max(cue.start_ms, free_from_ms)
        next_ms = cues[index + 1].start_ms if index + 1 < len(cues) else None
        end_ms = max(cue.end_ms, start_ms + cue.reading_ms)
        if next_ms is not None:
            end_ms = min(end_ms, next_ms)
        end_ms = max(end_ms, start_ms + SHORTEST_CUE_MS)
        free_from_ms = min(end_ms, start_ms + LONGEST_CUE_MS)
        yield replace(cue, start_ms=start_ms, end_ms=free_from_ms)


def _segment_cues(segment: Segment, languages: Sequence[str]) -> Iterator[Cue]:
    tracks = []
    has_times: dict[str, bool] = {}
    for language in languages:
        text = segment.texts.get(language)
        made = () if text is None else units(segment, text, reading_limits(language).line_columns)
        if text is not None and any(unit.columns for unit in made):
            tracks.append(Track(language, made))
            has_times[language] = bool(text.words)
    if not tracks:
        return
    # The language that was spoken says when, where the times of its words are known.
    lead = next((index for index, each in enumerate(tracks) if has_times[each.language]), 0)
    said = tracks[lead].units
    start_ms = min(segment.start_offset_ms, said[0].start_ms)
    end_ms = max(segment.end_offset_ms, said[-1].end_ms)
    whole = Passage(tuple(tracks), lead, start_ms, end_ms)
    for passage, lines in passages(whole):
        shown = [
            (line, has_times[track.language])
            for track, track_lines in zip(passage.tracks, lines, strict=True)
            for line in track_lines
            if line
        ]
        if shown:
            yield Cue(
                passage.start_ms,
                passage.end_ms,
                tuple(line for line, _ in shown),
                tuple(timed for _, timed in shown),
                max(map(_reading_ms, passage.tracks)),
            )


def _reading_ms(track: Track) -> int:
    return round(1000 * width(track.units) / reading_limits(track.language).columns_per_s)
