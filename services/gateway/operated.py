"""What is journalled of the operators' work: lines hidden and shown, and what all screens show."""

from __future__ import annotations

from glossa.gateway.v1 import gateway_pb2
from services.gateway.session_rows import config_of
from services.gateway.transaction import Transaction, unknown_segment


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


def append_screens(transaction: Transaction, screens: gateway_pb2.Screens) -> int:
    """Appends what all screens show from now on."""
    return transaction.append_unowned("", screens=screens).sequence
