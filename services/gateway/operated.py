"""What is journalled of the operators' work: lines hidden, sessions begun anew, all screens."""

from __future__ import annotations

from collections.abc import Sequence

from glossa.gateway.v1 import gateway_pb2
from services.gateway.session_rows import config_of, session_ended, settle
from services.gateway.transaction import Transaction, unknown_segment, unknown_session

_RESET = "RESET"


def append_hidden(
    transaction: Transaction, session_id: str, segment_id: int, *, is_hidden: bool, author: str
) -> int:
    """Appends that a final is hidden or shown, unless it is so already.

    Returns:
        The sequence of the newest event that says so; 0 when it was never hidden.

    Raises:
        NotFound: UNKNOWN_SESSION, UNKNOWN_SEGMENT.
    """
    config_of(transaction, session_id)
    kinds = {
        kind: (sequence, event)
        for sequence, kind, event in transaction.connection.execute(
            "SELECT sequence, kind, event FROM events WHERE session_id = ? AND segment_id = ? "
            "AND kind IN ('transcript', 'segment_hidden') ORDER BY sequence",
            (session_id, segment_id),
        )
    }
    if "transcript" not in kinds:
        raise unknown_segment(session_id, segment_id)
    sequence, was_hidden = 0, False
    if "segment_hidden" in kinds:
        sequence, event = kinds["segment_hidden"]
        was_hidden = gateway_pb2.JournalEvent.FromString(event).segment_hidden.is_hidden
    if was_hidden == is_hidden:
        return int(sequence)
    return transaction.append(
        session_id,
        segment_id=segment_id,
        segment_hidden=gateway_pb2.SegmentHidden(
            segment_id=segment_id, is_hidden=is_hidden, author=author
        ),
    )


def append_reset(
    transaction: Transaction,
    session_id: str,
    given_up: Sequence[tuple[int, int]],
    settled_sample: int,
    author: str,
) -> int:
    """Appends that a session begins anew, and before it the audio that is not recognised.

    Args:
        given_up: runs of samples, [first, end).
        settled_sample: no audio below it is needed again.

    Raises:
        NotFound: UNKNOWN_SESSION.
        WrongState: SESSION_ENDED.
    """
    row = transaction.connection.execute(
        "SELECT final_count, end_time_ms FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise unknown_session(session_id)
    if row[1] is not None:
        raise session_ended(session_id)
    for first_sample, next_sample in given_up:
        transaction.append(
            session_id,
            audio_gap=gateway_pb2.AudioGap(
                first_sample=first_sample, next_sample=next_sample, reason=_RESET
            ),
        )
    settle(transaction, session_id, settled_sample)
    segment_id = row[0]  # finals are numbered from 1, without holes
    return transaction.append(
        session_id,
        segment_id=segment_id,
        session_reset=gateway_pb2.SessionReset(segment_id=segment_id, author=author),
    )


def append_screens(transaction: Transaction, request: gateway_pb2.SetScreensRequest) -> int:
    """Appends what all screens show from now on: what they showed, but for the fields named."""
    row = transaction.connection.execute(
        "SELECT event FROM events WHERE kind = 'screens' ORDER BY sequence DESC LIMIT 1"
    ).fetchone()
    screens = gateway_pb2.JournalEvent.FromString(row[0] if row else b"").screens
    request.update_mask.MergeMessage(request.screens, screens)
    return transaction.append_unowned("", screens=screens).sequence
