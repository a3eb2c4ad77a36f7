"""What a final's translation is given of the finals before it.

It is read from the journal each time, so a restarted gateway knows as much as one that was not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import NotFound

# So long without speech there was a song, a prayer or another speaker: what was said before no
# longer explains what comes, and pulls its translation astray.
_PAUSE_MS = 20_000
# Finals before this one that are looked at beyond the pairs wanted: the newest may still wait for
# their translations, and doubtful ones are passed over.
SPARE_SEGMENTS = 4


@dataclass(frozen=True)
class ContextPair:
    """An earlier final with its translation."""

    source: str
    target: str


@dataclass(frozen=True)
class FinalContext:
    """A final and what came before it.

    Args:
        pairs: oldest first.
        recent_model: what translated the newest earlier final in this language; empty: none yet.
    """

    transcript: types_pb2.Transcript
    pairs: tuple[ContextPair, ...]
    recent_model: str


@dataclass
class _Segment:
    transcript: types_pb2.Transcript | None = None
    translation: types_pb2.Translation | None = None
    corrected_source: str = ""
    corrected_target: str = ""

    def pair(self) -> ContextPair | None:
        """The pair as a person left it; None while a side is missing or doubtful."""
        if self.transcript is None or self.translation is None:
            return None
        source = self.corrected_source or (
            "" if self.transcript.flags else self.transcript.stable_text
        )
        target = self.corrected_target or ("" if self.translation.flags else self.translation.text)
        return ContextPair(source, target) if source and target else None


def final_context(
    events: Iterable[gateway_pb2.JournalEvent],
    segment_id: int,
    language: str,
    *,
    pair_limit: int,
    character_limit: int,
) -> FinalContext:
    """What `events` say of a final and of those before it, since the session began anew.

    Args:
        events: of these segments, oldest first.
        pair_limit: pairs wanted at most; 0 for none.
        character_limit: of all pairs together; the oldest go first.

    Raises:
        NotFound: UNKNOWN_SEGMENT, when its transcript is not among `events`.
    """
    segments: dict[int, _Segment] = {}
    reset_segment_id = 0  # the newest one before this final
    for event in events:
        kind = event.WhichOneof("event")
        if kind == "transcript":
            segment = segments.setdefault(event.transcript.segment_id, _Segment())
            segment.transcript = event.transcript
        elif kind == "translation" and event.translation.language == language:
            segment = segments.setdefault(event.translation.segment_id, _Segment())
            segment.translation = event.translation
        elif kind == "correction":
            segment = segments.setdefault(event.correction.segment_id, _Segment())
            if event.correction.language == language:
                segment.corrected_target = event.correction.text
            elif segment.transcript and segment.transcript.language == event.correction.language:
                segment.corrected_source = event.correction.text
        elif kind == "session_reset" and event.session_reset.segment_id < segment_id:
            reset_segment_id = max(reset_segment_id, event.session_reset.segment_id)
    transcript = segments[segment_id].transcript if segment_id in segments else None
    if transcript is None:
        raise NotFound("UNKNOWN_SEGMENT", f"there is no final {segment_id}")
    numbers = [number for number in sorted(segments, reverse=True) if number < segment_id]
    before = [segments[number] for number in numbers]
    since_reset = [segments[number] for number in numbers if number > reset_segment_id]
    return FinalContext(
        transcript,
        tuple(_pairs(since_reset, transcript.start_offset_ms, pair_limit, character_limit)),
        next(
            (s.translation.model for s in before if s.translation and not s.translation.flags), ""
        ),
    )


def _pairs(
    before: list[_Segment], start_offset_ms: int, pair_limit: int, character_limit: int
) -> list[ContextPair]:
    """The newest pairs before a pause, oldest first; `before` is newest first."""
    pairs: list[ContextPair] = []
    characters = 0
    for segment in before:
        if segment.transcript is None:
            continue
        if start_offset_ms - segment.transcript.end_offset_ms > _PAUSE_MS:
            break
        start_offset_ms = segment.transcript.start_offset_ms
        pair = segment.pair()
        if pair is None:
            continue
        characters += len(pair.source) + len(pair.target)
        if len(pairs) >= pair_limit or characters > character_limit:
            break
        pairs.append(pair)
    return pairs[::-1]
