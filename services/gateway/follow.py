"""Followers of the journal: the backlog first, then live, and nothing durable is ever dropped.

A follower holds no queue of events: it reads on from its own sequence, out of memory when it is
near the end and from the journal when it is not. Live updates (partials, drafts) are kept
newest-only for each segment and language, so a slow follower skips them and costs a bounded amount
of memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence

from glossa.gateway.v1 import gateway_pb2
from services.errors import OutOfRange, Unavailable
from services.gateway.journal import Journal

_TAIL_LIMIT = 256  # newest events kept in memory: some minutes of a sermon
_LIVE_LIMIT = 256  # live updates kept for one follower; the oldest goes first

LiveKey = tuple[str, int, str]  # session, segment, language ("" for the transcript) or _DROPPED
_DROPPED = "-"  # that a segment was dropped; the next one has its number


class Followers:
    """Hands committed events and live updates to everyone who follows."""

    def __init__(self) -> None:
        self._tail: deque[gateway_pb2.JournalEvent] = deque(maxlen=_TAIL_LIMIT)
        self._followers: set[_Follower] = set()
        self._closed = False

    def publish(self, events: Sequence[gateway_pb2.JournalEvent]) -> None:
        """Takes newly committed events, in order."""
        for event in events:
            if event.WhichOneof("event") == "session_forgotten":
                kept = [known for known in self._tail if known.session_id != event.session_id]
                self._tail.clear()
                self._tail.extend(kept)
            self._tail.append(event)
        for follower in self._followers:
            follower.wake.set()

    def publish_live(self, update: gateway_pb2.LiveUpdate) -> None:
        """Takes a live update; it replaces an older one of the same segment and language."""
        for follower in self._followers:
            follower.offer(update)

    def close(self) -> None:
        """Ends every follower with SHUTTING_DOWN."""
        self._closed = True
        for follower in self._followers:
            follower.wake.set()

    async def follow(
        self, journal: Journal, request: gateway_pb2.FollowRequest
    ) -> AsyncIterator[gateway_pb2.FollowResponse]:
        """Everything after `request.after_sequence`, then live.

        Raises:
            NotFound: UNKNOWN_SESSION.
            OutOfRange: SEQUENCE_AHEAD.
            Unavailable: SHUTTING_DOWN.
        """
        if request.session_id:
            await journal.check_followable(request.session_id)
        sequence = request.after_sequence
        if sequence > journal.last_sequence:
            raise OutOfRange(
                "SEQUENCE_AHEAD",
                f"sequence {sequence} is beyond this journal's last, {journal.last_sequence}; "
                "it came from another journal: start again from 0",
                last_sequence=journal.last_sequence,
            )
        follower = _Follower(request.session_id, wants_live=request.live)
        self._followers.add(follower)
        caught_up = False
        try:
            while not self._closed:
                follower.wake.clear()
                newest = journal.last_sequence
                async for event in self._events(journal, request.session_id, sequence):
                    sequence = event.sequence
                    follower.forget(event)
                    yield gateway_pb2.FollowResponse(journal_id=journal.journal_id, event=event)
                sequence = max(sequence, newest)
                if not caught_up:
                    caught_up = True
                    yield gateway_pb2.FollowResponse(
                        journal_id=journal.journal_id,
                        caught_up=gateway_pb2.CaughtUp(sequence=sequence),
                    )
                    if request.until_now:
                        return
                for update in follower.take_live():
                    yield gateway_pb2.FollowResponse(journal_id=journal.journal_id, live=update)
                await follower.wake.wait()
            raise Unavailable("SHUTTING_DOWN", "the gateway is stopping; follow again in a moment")
        finally:
            self._followers.discard(follower)

    async def _events(
        self, journal: Journal, session_id: str, sequence: int
    ) -> AsyncIterator[gateway_pb2.JournalEvent]:
        """Events after `sequence` up to the newest known when the memory is reached."""
        while sequence < journal.last_sequence and not self._in_tail(sequence + 1):
            batch = await journal.read(session_id, sequence)
            if not batch:
                return
            for event in batch:
                yield event
            sequence = batch[-1].sequence
        for event in [event for event in self._tail if event.sequence > sequence]:
            if not session_id or event.session_id == session_id:
                yield event

    def _in_tail(self, sequence: int) -> bool:
        return bool(self._tail) and self._tail[0].sequence <= sequence


class _Follower:
    def __init__(self, session_id: str, *, wants_live: bool) -> None:
        self.wake = asyncio.Event()
        self._session_id = session_id
        self._wants_live = wants_live
        self._live: dict[LiveKey, gateway_pb2.LiveUpdate] = {}

    def offer(self, update: gateway_pb2.LiveUpdate) -> None:
        if not self._wants_live or self._session_id not in ("", update.session_id):
            return
        key = _live_key(update)
        if key[2] == _DROPPED:
            self._drop(lambda known: known[:2] == key[:2])  # nobody need see it before it goes
        self._live.pop(key, None)
        self._live[key] = update
        while len(self._live) > _LIVE_LIMIT:
            del self._live[next(iter(self._live))]
        self.wake.set()

    def forget(self, event: gateway_pb2.JournalEvent) -> None:
        """A final makes the live updates of its segment stale, forgetting those of its session."""
        if event.WhichOneof("event") == "transcript":
            for part in ("", _DROPPED):
                self._live.pop((event.session_id, event.transcript.segment_id, part), None)
        elif event.WhichOneof("event") == "translation":
            translation = event.translation
            self._live.pop((event.session_id, translation.segment_id, translation.language), None)
        elif event.WhichOneof("event") == "translation_failed":
            failed = event.translation_failed
            self._live.pop((event.session_id, failed.segment_id, failed.language), None)
        elif event.WhichOneof("event") == "session_forgotten":
            self._drop(lambda known: known[0] == event.session_id)

    def take_live(self) -> list[gateway_pb2.LiveUpdate]:
        updates = list(self._live.values())
        self._live.clear()
        return updates

    def _drop(self, is_stale: Callable[[LiveKey], bool]) -> None:
        for key in [key for key in self._live if is_stale(key)]:
            del self._live[key]


def _live_key(update: gateway_pb2.LiveUpdate) -> LiveKey:
    match update.WhichOneof("update"):
        case "translation":
            return update.session_id, update.translation.segment_id, update.translation.language
        case "transcript":
            return update.session_id, update.transcript.segment_id, ""
        case _:
            return update.session_id, update.segment_dropped.segment_id, _DROPPED
