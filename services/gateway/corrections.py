"""People's changes to the texts of finals."""

from __future__ import annotations

from glossa.gateway.v1 import gateway_pb2
from services.errors import NotFound
from services.gateway.session_rows import unknown_session
from services.gateway.transaction import Transaction


def append_correction(
    transaction: Transaction,
    session_id: str,
    segment_id: int,
    language: str,
    text: str,
    author: str,
) -> int:
    """Appends a person's text and returns its sequence.

    Raises:
        NotFound: UNKNOWN_SESSION, or UNKNOWN_SEGMENT when there is no final to correct.
    """
    row = transaction.connection.execute(
        "SELECT config FROM sessions WHERE session_id = ?", (session_id,)
    ).fetchone()
    if row is None:
        raise unknown_session(session_id)
    config = gateway_pb2.SessionConfig.FromString(row[0])
    is_source = language == config.source_language
    newest = transaction.connection.execute(
        "SELECT event FROM events WHERE session_id = ? AND segment_id = ? AND "
        "((kind = ? AND language = ?) OR (kind = 'correction' AND language = ?)) "
        "ORDER BY sequence DESC LIMIT 1",
        (
            session_id,
            segment_id,
            "transcript" if is_source else "translation",
            "" if is_source else language,
            language,
        ),
    ).fetchone()
    if newest is None:
        raise NotFound(
            "UNKNOWN_SEGMENT",
            f"session {session_id} has no final {segment_id} in {language!r}",
            segment_id=segment_id,
            language=language,
        )
    event = gateway_pb2.JournalEvent.FromString(newest[0])
    return transaction.append(
        session_id,
        segment_id=segment_id,
        language=language,
        correction=gateway_pb2.Correction(
            segment_id=segment_id,
            language=language,
            revision=getattr(event, str(event.WhichOneof("event"))).revision + 1,
            text=text,
            author=author,
        ),
    )
