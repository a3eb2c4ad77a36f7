"""The gateway's journal as the collector reads it: plain events, no protobuf beyond this file."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.collector.pair import Pair, Signal


@dataclass(frozen=True, slots=True)
class Event:
    """One message of the journal; `sequence` is 0 when it is no event but tells the journal's name.

    Args:
        ends_session: the last event of a session but for scores still owed.
    """

    journal_id: str
    sequence: int
    pair: Pair | None = None
    ends_session: bool = False


class Upstream:
    """Reads the journal through one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = gateway_pb2_grpc.JournalServiceStub(channel)

    async def follow(self, after_sequence: int) -> AsyncGenerator[Event, None]:
        """Every event of every session after a sequence, then live; nothing is read ahead.

        Raises:
            grpc.aio.AioRpcError: the stream broke; SEQUENCE_AHEAD for another journal's sequence.
        """
        call = self._stub.Follow(gateway_pb2.FollowRequest(after_sequence=after_sequence))
        try:
            async for message in call:
                yield _event(message)
        finally:
            call.cancel()


def _event(message: Any) -> Event:
    event = message.event  # of sequence 0 in any other message
    kind = event.WhichOneof("event")
    return Event(
        journal_id=message.journal_id,
        sequence=event.sequence,
        pair=_pair(event) if kind == "pair_scored" else None,
        ends_session=kind == "session_ended",
    )


def _pair(event: Any) -> Pair:
    transcript, translation = event.pair_scored.transcript, event.pair_scored.translation
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
            for signal in event.pair_scored.signals
        ),
        stt_model=transcript.model,
        mt_model=translation.model,
        start_offset_ms=transcript.start_offset_ms,
        end_offset_ms=transcript.end_offset_ms,
        avg_logprob=_optional(transcript, "avg_logprob"),
        no_speech_prob=_optional(transcript, "no_speech_prob"),
        compression_ratio=_optional(transcript, "compression_ratio"),
    )


def _optional(message: Any, field: str) -> float | None:
    return float(getattr(message, field)) if message.HasField(field) else None
