"""Sessions that are held: what is spoken meanwhile is counted and thrown away."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glossa.gateway.v1 import gateway_pb2
from services.gateway.session_rows import HELD, SessionRow, close_hold, session_ended, settle
from services.gateway.transaction import Transaction, unknown_session


@dataclass(frozen=True)
class HeldStretch:
    """Samples [first_sample, next_sample) that are thrown away; None: the session is held now."""

    first_sample: int
    next_sample: int | None = None


def held_stretches(
    row: SessionRow, events: Iterable[gateway_pb2.JournalEvent]
) -> tuple[HeldStretch, ...]:
    """What is to be thrown away of audio that a speaker sends again, in order.

    Args:
        events: of the session, its gaps among them.
    """
    gaps = [event.audio_gap for event in events if event.audio_gap.reason == HELD]
    stretches = [
        HeldStretch(gap.first_sample, gap.next_sample)
        for gap in gaps
        if gap.next_sample > row.settled_sample
    ]
    if row.held_from_sample is not None:
        stretches.append(HeldStretch(row.held_from_sample))
    return tuple(stretches)


def append_hold(transaction: Transaction, session_id: str, first_sample: int, author: str) -> int:
    """Appends that a session is held from a sample on, unless it is held already.

    Returns:
        The sequence of the newest event that says so.

    Raises:
        NotFound: UNKNOWN_SESSION.
        WrongState: SESSION_ENDED.
    """
    if _held_from(transaction, session_id) is not None:
        return _newest_sequence(transaction, session_id)
    transaction.connection.execute(
        "UPDATE sessions SET held_from_sample = ? WHERE session_id = ?", (first_sample, session_id)
    )
    return transaction.append(
        session_id, session_held=gateway_pb2.SessionHeld(is_held=True, author=author)
    )


def append_go_on(
    transaction: Transaction,
    session_id: str,
    next_sample: int,
    settled_sample: int,
    author: str,
) -> int:
    """Appends that a session goes on, and before it the gap; nothing when it is not held.

    Args:
        next_sample: the first one that is not thrown away.
        settled_sample: no audio below it is needed again.

    Returns:
        The sequence of the newest event that says so; 0 when it was never held.

    Raises:
        NotFound: UNKNOWN_SESSION.
        WrongState: SESSION_ENDED.
    """
    if _held_from(transaction, session_id) is None:
        return _newest_sequence(transaction, session_id)
    close_hold(transaction, session_id, next_sample)
    settle(transaction, session_id, settled_sample)
    return transaction.append(
        session_id, session_held=gateway_pb2.SessionHeld(is_held=False, author=author)
    )


def _held_from(transaction: Transaction, session_id: str) -> int | None:
    row = transaction.connection.execute(
        "SELECT held_from_sample, end_time_ms FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise unknown_session(session_id)
    if row[1] is not None:
        raise session_ended(session_id)
    return None if row[0] is None else int(row[0])


def _newest_sequence(transaction: Transaction, session_id: str) -> int:
    (sequence,) = transaction.connection.execute(
        "SELECT coalesce(max(sequence), 0) FROM events "
        "WHERE session_id = ? AND kind = 'session_held'",
        (session_id,),
    ).fetchone()
    return int(sequence)
