"""A gateway's journal for the collector's tests: a real gRPC server that sends scripted events."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from glossa.types.v1 import types_pb2
from services.errors import OutOfRange, abort
from services.serving import SERVER_OPTIONS

SCORED_AT_S = 1_795_341_600  # 2026-11-22T10:00:00Z
GOOD_SIGNALS = {"translation_qe": 0.9, "marian_agreement": 0.9}


class Upstream(gateway_pb2_grpc.JournalServiceServicer):
    """Serves `events` after the sequence asked for, then goes on live.

    Args:
        pace_s: time between two events, so that there is a middle of a stream to be killed in.
        repeats: events before the sequence asked for that are sent once more.
    """

    def __init__(self, port: int, journal_id: str = "journal-1") -> None:
        self.address = f"127.0.0.1:{port}"
        self.journal_id = journal_id
        self.events: list[gateway_pb2.JournalEvent] = []
        self.last_sequence = 0
        self.pace_s = 0.0
        self.repeats = 0
        self.sent = 0
        self.asked: list[int] = []
        self._grown = asyncio.Event()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        gateway_pb2_grpc.add_JournalServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def add(self, events: Iterable[gateway_pb2.JournalEvent]) -> None:
        """Numbers the events and sends them to whoever follows."""
        for unnumbered in events:
            event = gateway_pb2.JournalEvent()
            event.CopyFrom(unnumbered)
            self.last_sequence += 1
            event.sequence = self.last_sequence
            event.time.FromSeconds(SCORED_AT_S + event.sequence)
            self.events.append(event)
        self._grown.set()

    def forget(self, session_id: str) -> None:
        """Deletes a session's events, as the gateway does, and says so to whoever follows."""
        self.events = [event for event in self.events if event.session_id != session_id]
        forgotten = gateway_pb2.SessionForgotten(reason=gateway_pb2.FORGET_REASON_REQUESTED)
        self.add([gateway_pb2.JournalEvent(session_id=session_id, session_forgotten=forgotten)])

    def lose_end(self, count: int) -> None:
        """Loses its newest events, as a power cut can make it."""
        del self.events[-count:]
        self.last_sequence = self.events[-1].sequence

    def pair_ids(self) -> set[str]:
        """The ids of every pair in this journal."""
        return {
            f"{event.session_id}/{scored.transcript.segment_id}/{scored.translation.language}"
            for event in self.events
            if event.WhichOneof("event") == "pair_scored"
            for scored in [event.pair_scored]
        }

    async def Follow(
        self, request: gateway_pb2.FollowRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[gateway_pb2.FollowResponse]:
        self.asked.append(request.after_sequence)
        if request.after_sequence > self.last_sequence:
            await abort(
                context,
                OutOfRange("SEQUENCE_AHEAD", "another journal", last_sequence=self.last_sequence),
            )
        position = max(0, request.after_sequence - self.repeats)
        caught_up = False
        while True:
            self._grown.clear()
            while event := self._next_after(position):
                position = event.sequence
                self.sent += 1
                yield gateway_pb2.FollowResponse(journal_id=self.journal_id, event=event)
                if self.pace_s:
                    await asyncio.sleep(self.pace_s)
            if not caught_up:
                caught_up = True
                yield gateway_pb2.FollowResponse(
                    journal_id=self.journal_id, caught_up=gateway_pb2.CaughtUp(sequence=position)
                )
            await self._grown.wait()

    def _next_after(self, sequence: int) -> gateway_pb2.JournalEvent | None:
        index = bisect_right(self.events, sequence, key=lambda event: int(event.sequence))
        return self.events[index] if index < len(self.events) else None


def pair_scored(
    segment_id: int,
    session_id: str = "session-a",
    source_text: str = "The river stands at the edge of the field",
    target_text: str = "El río está en la orilla del campo abierto",
    signals: Mapping[str, float | None] = GOOD_SIGNALS,
    language: str = "es",
    **transcript: float,
) -> gateway_pb2.JournalEvent:
    """A pair that is accepted unless something is changed."""
    measured = {"avg_logprob": -0.05, "no_speech_prob": 0.1, "compression_ratio": 1.2} | transcript
    return gateway_pb2.JournalEvent(
        session_id=session_id,
        pair_scored=gateway_pb2.PairScored(
            transcript=types_pb2.Transcript(
                segment_id=segment_id,
                is_final=True,
                stable_text=source_text,
                language="en",
                model="rule/stt",
                start_offset_ms=segment_id * 1000,
                end_offset_ms=segment_id * 1000 + 900,
                **measured,
            ),
            translation=types_pb2.Translation(
                segment_id=segment_id,
                is_final=True,
                text=target_text,
                language=language,
                model="rule/mt",
            ),
            signals=[
                types_pb2.Signal(name=name, value=value, model="rule/qe")
                for name, value in signals.items()
            ],
        ),
    )


def pair_reviewed(
    scored: gateway_pb2.JournalEvent,
    decision: int = types_pb2.DECISION_FIXED,
    revision: int = 1,
    source_text: str = "The river stands at the edge of the open field",
    target_text: str = "El río está al borde del campo abierto",
) -> gateway_pb2.JournalEvent:
    """A person's decision about the pair of another event."""
    pair = scored.pair_scored
    return gateway_pb2.JournalEvent(
        session_id=scored.session_id,
        pair_reviewed=gateway_pb2.PairReviewed(
            segment_id=pair.transcript.segment_id,
            language=pair.translation.language,
            revision=revision,
            decision=decision,
            source_text=source_text,
            target_text=target_text,
            reviewer="Ana",
            review_id=f"{scored.session_id}-{pair.transcript.segment_id}-{revision}",
            pair=pair,
        ),
    )


def correction(
    segment_id: int, language: str, text: str, session_id: str = "session-a"
) -> gateway_pb2.JournalEvent:
    return gateway_pb2.JournalEvent(
        session_id=session_id,
        correction=gateway_pb2.Correction(
            segment_id=segment_id, language=language, revision=2, text=text, author="Ana"
        ),
    )


def reviewed_sermon(
    segment_ids: Sequence[int] | range, session_id: str = "session-a"
) -> list[gateway_pb2.JournalEvent]:
    """A sermon, then decisions about its pairs, every third of which was taken back again."""
    events = sermon(segment_ids, session_id)
    decisions = (types_pb2.DECISION_FIXED, types_pb2.DECISION_REJECTED, types_pb2.DECISION_ACCEPTED)
    scored = [event for event in events if event.WhichOneof("event") == "pair_scored"]
    for index, event in enumerate(scored):
        events.append(correction(event.pair_scored.transcript.segment_id, "en", "So", session_id))
        events.append(pair_reviewed(event, decisions[index // 3 % 3]))
        if index % 3 == 2:
            events.append(pair_reviewed(event, types_pb2.DECISION_WITHDRAWN, revision=2))
    return events


def transcript(segment_id: int, session_id: str = "session-a") -> gateway_pb2.JournalEvent:
    """An event without a pair."""
    return gateway_pb2.JournalEvent(
        session_id=session_id,
        transcript=types_pb2.Transcript(
            segment_id=segment_id, is_final=True, stable_text="Not yet translated", language="en"
        ),
    )


def session_ended(session_id: str = "session-a") -> gateway_pb2.JournalEvent:
    return gateway_pb2.JournalEvent(
        session_id=session_id,
        session_ended=gateway_pb2.SessionEnded(reason=gateway_pb2.END_REASON_FINISHED),
    )


def sermon(
    segment_ids: Sequence[int] | range, session_id: str = "session-a"
) -> list[gateway_pb2.JournalEvent]:
    """A transcript and a pair a segment, in every band and excluded, and the session's end."""
    qualities = (
        GOOD_SIGNALS,
        {"heuristic_quality": 0.9},
        {"heuristic_quality": 0.4},
        {"translation_qe": 0.1, "marian_agreement": 0.1},
    )
    events = []
    for segment_id in segment_ids:
        events.append(transcript(segment_id, session_id))
        if segment_id % 5 == 4:
            events.append(pair_scored(segment_id, session_id, source_text="Amen"))
        else:
            events.append(pair_scored(segment_id, session_id, signals=qualities[segment_id % 5]))
    return [*events, session_ended(session_id)]
