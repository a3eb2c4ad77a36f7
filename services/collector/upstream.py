"""The gateway's journal as the collector reads it: plain events, no protobuf beyond this file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services.collector.pair import (
    Change,
    Decision,
    ForgottenSession,
    Judged,
    Pair,
    ReviewedPair,
    ShownText,
    Signal,
)

_DECISIONS = {
    types_pb2.DECISION_ACCEPTED: Decision.ACCEPTED,
    types_pb2.DECISION_FIXED: Decision.FIXED,
    types_pb2.DECISION_REJECTED: Decision.REJECTED,
    types_pb2.DECISION_WITHDRAWN: Decision.WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the journal; `sequence` is 0 when it is no event but tells the journal's name.

    Args:
        change: what it changes in what is collected, pairs judged.
        ended_session: the session whose last event this is, but for scores still owed.
    """

    journal_id: str
    sequence: int
    change: Change | None = None
    ended_session: str = ""


class Upstream:
    """Reads the journal through one channel, and judges its pairs."""

    def __init__(self, channel: grpc.aio.Channel, judge: Callable[[Pair], Judged]) -> None:
        self._stub = gateway_pb2_grpc.JournalServiceStub(channel)
        self._judge = judge

    async def follow(self, after_sequence: int) -> AsyncGenerator[Event, None]:
        """Every event of every session after a sequence, then live; nothing is read ahead.

        Raises:
            grpc.aio.AioRpcError: the stream broke; SEQUENCE_AHEAD for another journal's sequence.
        """
        call = self._stub.Follow(gateway_pb2.FollowRequest(after_sequence=after_sequence))
        try:
            async for message in call:
                event = message.event  # of sequence 0 in any other message
                yield Event(
                    journal_id=message.journal_id,
                    sequence=event.sequence,
                    change=change_of(event, self._judge),
                    ended_session=event.session_id if event.HasField("session_ended") else "",
                )
        finally:
            call.cancel()


def change_of(event: Any, judge: Callable[[Pair], Judged]) -> Change | None:
    """What an event of the journal (gateway_pb2.JournalEvent) changes; None for any other."""
    match event.WhichOneof("event"):
        case "pair_scored":
            return judge(_pair(event, event.pair_scored))
        case "pair_reviewed" if event.pair_reviewed.decision in _DECISIONS:
            review = event.pair_reviewed
            return ReviewedPair(
                machine=judge(_pair(event, review.pair)),
                sequence=event.sequence,
                time=event.time.ToDatetime(tzinfo=UTC),
                decision=_DECISIONS[review.decision],
                source_text=review.source_text,
                target_text=review.target_text,
                reviewer=review.reviewer,
                review_id=review.review_id,
                revision=review.revision,
            )
        case "correction":
            text = event.correction
            return ShownText(event.session_id, text.segment_id, text.language, text.text)
        case "session_forgotten":
            return ForgottenSession(event.sequence, event.session_id)
        case _:
            return None


def _pair(event: Any, scored: Any) -> Pair:
    transcript, translation = scored.transcript, scored.translation
    return Pair(
        sequence=event.sequence,
        time=event.time.ToDatetime(tzinfo=UTC),
        session_id=event.session_id,
        segment_id=transcript.segment_id,
        source_language=transcript.language,
        target_language=translation.language,
        source_text=transcript.stable_text,
        target_text=translation.text,
        signals=tuple(
            Signal(signal.name, _optional(signal, "value"), signal.model)
            for signal in scored.signals
        ),
        stt_model=transcript.model,
        mt_model=translation.model,
        start_offset_ms=transcript.start_offset_ms,
        end_offset_ms=transcript.end_offset_ms,
        avg_logprob=_optional(transcript, "avg_logprob"),
        no_speech_prob=_optional(transcript, "no_speech_prob"),
        compression_ratio=_optional(transcript, "compression_ratio"),
        flags=(*transcript.flags, *translation.flags),
        missing_terms=tuple((term.source, term.target) for term in translation.missing_terms),
    )


def _optional(message: Any, field: str) -> float | None:
    return float(getattr(message, field)) if message.HasField(field) else None
