"""One log line for each segment, written when the last event that it is owed is in the journal.

With it goes the first span of the segment's trace, for who has traces.

Ids and figures alone: nothing of what was said.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services import traces

log = structlog.get_logger()

# While mt or qe is away the oldest are forgotten; they get lines as after a restart.
_SEGMENTS_REMEMBERED = 1024


@dataclass
class _Segment:
    """A final that is not through.

    Args:
        waits_for: target languages of which neither a score nor a failure is there.
        heard_at_ms: when its final was journalled, since the Unix epoch; None: before a restart.
    """

    waits_for: set[str]
    heard_at_ms: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    languages: dict[str, dict[str, Any]] = field(default_factory=dict)


class SegmentLog:
    """Gathers what becomes of each final.

    Nothing is remembered across a restart: what was under way then gets a line a language, with
    what its last event tells.

    Args:
        target_languages_of: of an open session, by its id.
    """

    def __init__(self, target_languages_of: Callable[[str], Sequence[str]]) -> None:
        self._target_languages_of = target_languages_of
        self._segments: OrderedDict[tuple[str, int], _Segment] = OrderedDict()

    def late(self, session_id: str, segment_id: int, lag_s: float) -> None:
        """A final that was just journalled came so long after its last speech had arrived."""
        segment = self._segments.get((session_id, segment_id))
        if segment is not None:
            segment.figures["lag_ms"] = round(lag_s * 1000)

    def committed(self, events: Sequence[gateway_pb2.JournalEvent]) -> None:
        """Takes in what was journalled."""
        for event in events:
            match event.WhichOneof("event"):
                case "transcript":
                    self._heard(event)
                case "translation":
                    self._translated(event)
                case "translation_failed":
                    failed = event.translation_failed
                    outcome = {"failed_for": failed.reason}
                    self._through(event, failed.segment_id, failed.language, outcome)
                case "pair_scored":
                    self._scored(event)
                case "session_forgotten":
                    for key in [key for key in self._segments if key[0] == event.session_id]:
                        del self._segments[key]

    def _heard(self, event: gateway_pb2.JournalEvent) -> None:
        transcript = event.transcript
        self._segments[event.session_id, transcript.segment_id] = _Segment(
            set(self._target_languages_of(event.session_id)),
            event.time.ToMilliseconds(),
            _of_transcript(transcript) | {"transcript_sequence": event.sequence},
        )
        if len(self._segments) > _SEGMENTS_REMEMBERED:
            self._segments.popitem(last=False)

    def _translated(self, event: gateway_pb2.JournalEvent) -> None:
        translation = event.translation
        segment = self._segments.get((event.session_id, translation.segment_id))
        if segment is not None:
            segment.languages[translation.language] = _after(segment, event, "translated_ms")

    def _scored(self, event: gateway_pb2.JournalEvent) -> None:
        transcript, translation = event.pair_scored.transcript, event.pair_scored.translation
        outcome = _of_translation(translation) | {
            "signals": {
                signal.name: round(signal.value, 3)
                for signal in event.pair_scored.signals
                if signal.HasField("value")
            }
        }
        self._segments.setdefault(
            (event.session_id, transcript.segment_id),
            _Segment({translation.language}, figures=_of_transcript(transcript)),
        )
        self._through(event, transcript.segment_id, translation.language, outcome)

    def _through(
        self,
        event: gateway_pb2.JournalEvent,
        segment_id: int,
        language: str,
        outcome: dict[str, Any],
    ) -> None:
        """Nothing more comes in this language; after the last one there is a line."""
        key = event.session_id, segment_id
        segment = self._segments.setdefault(key, _Segment({language}))
        segment.languages.setdefault(language, {}).update(
            outcome | _after(segment, event, "through_ms")
        )
        segment.waits_for.discard(language)
        if not segment.waits_for:
            del self._segments[key]
            log.info(
                "segment",
                session_id=event.session_id,
                segment_id=segment_id,
                sequence=event.sequence,
                **segment.figures,
                languages=segment.languages,
            )
            _trace(event, segment_id, segment)


def _trace(event: gateway_pb2.JournalEvent, segment_id: int, segment: _Segment) -> None:
    """From the arrival of its last speech to its last event, when that is known."""
    if segment.heard_at_ms is not None:
        traces.record_segment(
            event.session_id,
            segment_id,
            segment.heard_at_ms - segment.figures.get("lag_ms", 0),
            event.time.ToMilliseconds(),
            sequence=event.sequence,
            transcript_sequence=segment.figures["transcript_sequence"],
            stt_model=segment.figures["stt_model"],
            languages=",".join(segment.languages),
        )


def _after(segment: _Segment, event: gateway_pb2.JournalEvent, name: str) -> dict[str, int]:
    """How long after its final an event was journalled, when that is known."""
    if segment.heard_at_ms is None:
        return {}
    return {name: event.time.ToMilliseconds() - segment.heard_at_ms}


def _of_transcript(transcript: types_pb2.Transcript) -> dict[str, Any]:
    return {
        "revision": transcript.revision,
        "speech_ms": transcript.end_offset_ms - transcript.start_offset_ms,
        "word_count": len(transcript.words),
        "stt_model": transcript.model,
        "stt_ms": round(transcript.engine_ms, 1),
        "stt_queue_ms": round(transcript.engine_queue_ms, 1),
        "stt_flags": list(transcript.flags),
    }


def _of_translation(translation: types_pb2.Translation) -> dict[str, Any]:
    return {
        "mt_model": translation.model,
        "mt_ms": round(translation.engine_ms, 1),
        "mt_flags": list(translation.flags),
        "token_count": translation.token_count,
    }
