"""What one batch of the journal writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from glossa.gateway.v1 import gateway_pb2
from services.errors import GlossaError, NotFound
from services.gateway.soundness import checksum

Stage = Literal["translate", "score", "alternative"]

# A second mt that cannot keep up is never owed more than this: some twenty minutes of speech.
_ALTERNATIVES_LIMIT = 256


@dataclass(frozen=True)
class Owed:
    """Work that a final still needs; `sequence` is that of the event that caused it."""

    stage: Stage
    sequence: int
    session_id: str
    segment_id: int
    language: str


class Transaction:
    """What one batch writes; `events` are published once it is committed."""

    def __init__(self, connection: sqlite3.Connection, time_ms: int) -> None:
        self.connection = connection
        self.time_ms = time_ms
        self.events: list[gateway_pb2.JournalEvent] = []

    def attempt(self, work: Callable[[Transaction], object]) -> object:
        """Does one piece of work; if it refuses, undoes it alone and returns the exception."""
        event_count = len(self.events)
        self.connection.execute("SAVEPOINT piece")
        try:
            outcome = work(self)
        except GlossaError as refusal:
            self.connection.execute("ROLLBACK TO piece")
            del self.events[event_count:]
            outcome = refusal
        self.connection.execute("RELEASE piece")
        return outcome

    def append(
        self, session_id: str, *, segment_id: int = 0, language: str = "", **payload: Any
    ) -> int:
        """Appends one event, its payload named as in JournalEvent; returns its sequence.

        Raises:
            NotFound: UNKNOWN_SESSION; it was forgotten while this was on its way.
        """
        event = self.append_unowned(session_id, segment_id=segment_id, language=language, **payload)
        updated = self.connection.execute(
            "UPDATE sessions SET last_sequence = ?1, first_sequence = "
            "CASE first_sequence WHEN 0 THEN ?1 ELSE first_sequence END WHERE session_id = ?2",
            (event.sequence, session_id),
        )
        if not updated.rowcount:
            raise unknown_session(session_id)
        return event.sequence

    def append_unowned(
        self, session_id: str, *, segment_id: int = 0, language: str = "", **payload: Any
    ) -> gateway_pb2.JournalEvent:
        """Appends one event, whether its session is there or not."""
        event = gateway_pb2.JournalEvent(session_id=session_id, **payload)
        event.time.FromMilliseconds(self.time_ms)
        content = event.SerializeToString()
        cursor = self.connection.execute(
            "INSERT INTO events (session_id, kind, segment_id, language, event, checksum) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                session_id,
                event.WhichOneof("event"),
                segment_id,
                language,
                content,
                checksum(content),
            ),
        )
        event.sequence = int(cursor.lastrowid or 0)
        self.events.append(event)
        return event

    def append_once(
        self, session_id: str, *, segment_id: int, language: str = "", **payload: Any
    ) -> int | None:
        """Appends an event that a segment can have only once; None when it is there already."""
        try:
            return self.append(session_id, segment_id=segment_id, language=language, **payload)
        except sqlite3.IntegrityError:
            return None

    def owe(self, owed: Owed) -> None:
        self.connection.execute(
            "INSERT INTO owed (stage, sequence, session_id, segment_id, language) "
            "VALUES (?, ?, ?, ?, ?)",
            (owed.stage, owed.sequence, owed.session_id, owed.segment_id, owed.language),
        )

    def drop_old_alternatives(self) -> int:
        """Forgets the oldest comparisons beyond the limit; returns how many."""
        return self.connection.execute(
            "DELETE FROM owed WHERE stage = 'alternative' AND (sequence, language) IN ("
            "SELECT sequence, language FROM owed WHERE stage = 'alternative' "
            "ORDER BY sequence DESC LIMIT -1 OFFSET ?)",
            (_ALTERNATIVES_LIMIT,),
        ).rowcount

    def pay(self, owed: Owed) -> None:
        self.connection.execute(
            "DELETE FROM owed WHERE stage = ? AND sequence = ? AND language = ?",
            (owed.stage, owed.sequence, owed.language),
        )


def unknown_session(session_id: str) -> NotFound:
    """The error of a call that names a session that is not there."""
    return NotFound("UNKNOWN_SESSION", f"there is no session {session_id!r}", session_id=session_id)


def unknown_segment(session_id: str, segment_id: int, language: str = "") -> NotFound:
    """The error of work on a final that is not there, or not in that language."""
    return NotFound(
        "UNKNOWN_SEGMENT",
        f"session {session_id} has no final {segment_id}" + (f" in {language!r}" * bool(language)),
        segment_id=segment_id,
        language=language,
    )
