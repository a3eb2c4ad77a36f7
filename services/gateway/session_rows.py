"""The rows of the sessions: begun, settled, ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from glossa.gateway.v1 import gateway_pb2
from services.errors import WrongState
from services.gateway.transaction import Transaction, unknown_session

COLUMNS = (
    "session_id, config, start_time_ms, end_time_ms, settled_sample, revision_epoch, final_count, "
    "first_sequence, last_sequence, held_from_sample"
)

HELD = "HELD"  # the reason of a gap


@dataclass(frozen=True)
class SessionRow:
    """A session as the journal knows it; times in milliseconds since the Unix epoch.

    Args:
        held_from_sample: what is spoken from it on is thrown away; None: the session is not held.
    """

    session_id: str
    config: gateway_pb2.SessionConfig
    start_time_ms: int
    end_time_ms: int | None
    settled_sample: int
    revision_epoch: int
    final_count: int
    first_sequence: int
    last_sequence: int
    held_from_sample: int | None


def session_of(row: Sequence[Any]) -> SessionRow:
    """A row of COLUMNS."""
    session_id, config, *numbers = row
    return SessionRow(session_id, gateway_pb2.SessionConfig.FromString(config), *numbers)


def config_of(transaction: Transaction, session_id: str) -> gateway_pb2.SessionConfig:
    """A session as its speaker wanted it. Raises NotFound UNKNOWN_SESSION."""
    row = transaction.connection.execute(
        "SELECT config FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise unknown_session(session_id)
    return gateway_pb2.SessionConfig.FromString(row[0])


def start_session(
    transaction: Transaction, session_id: str, config: gateway_pb2.SessionConfig
) -> int:
    """Appends session_started; returns its time in milliseconds since the Unix epoch."""
    transaction.connection.execute(
        "INSERT INTO sessions (session_id, config, start_time_ms) VALUES (?, ?, ?)",
        (session_id, config.SerializeToString(), transaction.time_ms),
    )
    transaction.append(session_id, session_started=gateway_pb2.SessionStarted(config=config))
    return transaction.time_ms


def settle(transaction: Transaction, session_id: str, settled_sample: int) -> None:
    """Remembers that no audio below `settled_sample` is needed again."""
    transaction.connection.execute(
        "UPDATE sessions SET settled_sample = max(settled_sample, ?) WHERE session_id = ?",
        (settled_sample, session_id),
    )


def next_revision_epoch(transaction: Transaction, session_id: str) -> int:
    """Counts that a session's recognition began anew, and returns the count."""
    (epoch,) = transaction.connection.execute(
        "UPDATE sessions SET revision_epoch = revision_epoch + 1 WHERE session_id = ? "
        "RETURNING revision_epoch",
        (session_id,),
    ).fetchone()
    return int(epoch)


def close_hold(transaction: Transaction, session_id: str, next_sample: int) -> None:
    """Appends what was thrown away of a held session as a gap; it is not held any more."""
    (first_sample,) = transaction.connection.execute(
        "SELECT held_from_sample FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if first_sample is None:
        return
    transaction.connection.execute(
        "UPDATE sessions SET held_from_sample = NULL WHERE session_id = ?", (session_id,)
    )
    if next_sample > first_sample:
        transaction.append(
            session_id,
            audio_gap=gateway_pb2.AudioGap(
                first_sample=first_sample, next_sample=next_sample, reason=HELD
            ),
        )


def end_session(
    transaction: Transaction,
    session_id: str,
    reason: gateway_pb2.EndReason,
    received_sample: int,
) -> gateway_pb2.SessionClosed:
    """Appends session_ended, once; what was thrown away of a session that is held comes before it.

    Raises:
        NotFound: UNKNOWN_SESSION.
        WrongState: SESSION_ENDED.
    """
    row = transaction.connection.execute(
        "SELECT end_time_ms, final_count FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise unknown_session(session_id)
    if row[0] is not None:
        raise session_ended(session_id)
    close_hold(transaction, session_id, received_sample)
    (untranslated_count,) = transaction.connection.execute(
        "SELECT "
        "(SELECT count(*) FROM owed WHERE session_id = ?1 AND stage = 'translate') + "
        "(SELECT count(*) FROM events WHERE session_id = ?1 AND kind = 'translation_failed')",
        (session_id,),
    ).fetchone()
    transaction.connection.execute(
        "UPDATE sessions SET end_time_ms = ? WHERE session_id = ?",
        (transaction.time_ms, session_id),
    )
    sequence = transaction.append(
        session_id,
        session_ended=gateway_pb2.SessionEnded(
            reason=reason,
            final_count=row[1],
            untranslated_count=untranslated_count,
            received_sample=received_sample,
        ),
    )
    return gateway_pb2.SessionClosed(final_count=row[1], sequence=sequence)


def session_ended(session_id: str) -> WrongState:
    """The error of a call that needs an open session."""
    return WrongState(
        "SESSION_ENDED",
        f"session {session_id} has ended; start a new one",
        session_id=session_id,
    )
