"""The steps by which a session leaves the journal.

`begin_forgetting` takes its row and everything that it is owed away, so that from then on nothing
can be written for it; what is left of it goes in pieces, so that other sessions' writes never wait
long; `finish_forgetting` tells the followers. A session that is between these steps has a row in
`forgetting`: after a crash the rest of them is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from glossa.gateway.v1 import gateway_pb2
from services.errors import WrongState
from services.gateway.transaction import Transaction, unknown_session

_PIECE_EVENTS = 256  # some 10 ms of the writer's time


@dataclass(frozen=True)
class Leaving:
    """A session that is being forgotten, and what it had."""

    session_id: str
    event_count: int
    audio_bytes: int


def begin_forgetting(
    transaction: Transaction, session_id: str, audio_size_bytes: Callable[[str], int]
) -> gateway_pb2.JournalEvent | None:
    """Closes the session for all writes; returns its last event when it is forgotten already.

    Raises:
        NotFound: UNKNOWN_SESSION.
        WrongState: SESSION_OPEN.
    """
    execute = transaction.connection.execute
    known = execute(
        "SELECT sequence, event FROM events WHERE session_id = ? AND kind = 'session_forgotten'",
        (session_id,),
    ).fetchone()
    if known is not None:
        event = gateway_pb2.JournalEvent.FromString(known[1])
        event.sequence = known[0]
        return event
    if execute("SELECT 1 FROM forgetting WHERE session_id = ?", (session_id,)).fetchone():
        return None
    row = execute("SELECT end_time_ms FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    if row is None:
        raise unknown_session(session_id)
    if row[0] is None:
        raise WrongState(
            "SESSION_OPEN",
            f"session {session_id} has not ended: stop its speaker or end it (EndSession) first",
            session_id=session_id,
        )
    execute(
        "INSERT INTO forgetting (session_id, event_count, audio_bytes) "
        "SELECT ?1, count(*), ?2 FROM events WHERE session_id = ?1",
        (session_id, audio_size_bytes(session_id)),
    )
    for table in ("owed", "reviews", "sessions"):
        execute(f"DELETE FROM {table} WHERE session_id = ?", (session_id,))  # noqa: S608
    return None


def delete_piece(transaction: Transaction, session_id: str) -> bool:
    """Deletes some of the session's events; False when there are none."""
    return bool(
        transaction.connection.execute(
            "DELETE FROM events WHERE sequence IN "
            "(SELECT sequence FROM events WHERE session_id = ? LIMIT ?)",
            (session_id, _PIECE_EVENTS),
        ).rowcount
    )


def finish_forgetting(transaction: Transaction, leaving: Leaving) -> gateway_pb2.JournalEvent:
    """Appends session_forgotten: all that the journal says of the session from now on."""
    event = transaction.append_unowned(
        leaving.session_id,
        session_forgotten=gateway_pb2.SessionForgotten(
            reason=gateway_pb2.FORGET_REASON_REQUESTED,
            event_count=leaving.event_count,
            audio_bytes=leaving.audio_bytes,
        ),
    )
    transaction.connection.execute(
        "DELETE FROM forgetting WHERE session_id = ?", (leaving.session_id,)
    )
    return event
