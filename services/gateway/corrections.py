"""People's changes to the texts of finals, and what displays show with them."""

from __future__ import annotations

from dataclasses import dataclass

from glossa.gateway.v1 import gateway_pb2
from services.gateway.session_rows import config_of
from services.gateway.transaction import Transaction, unknown_segment

_EVERYTHING = 2**63 - 1  # SQLite's greatest integer: greater than any sequence


@dataclass(frozen=True)
class ShownText:
    """A final in one language as displays have it."""

    segment_id: int
    language: str
    revision: int
    text: str


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
    config = config_of(transaction, session_id)
    shown = find_shown(transaction, session_id, config, segment_id, language)
    if shown is None:
        raise unknown_segment(session_id, segment_id, language)
    return append_change(transaction, session_id, shown, text, author)


def append_change(
    transaction: Transaction, session_id: str, shown: ShownText, text: str, author: str
) -> int:
    """Appends `text` in the place of what is shown and returns its sequence."""
    return transaction.append(
        session_id,
        segment_id=shown.segment_id,
        language=shown.language,
        correction=gateway_pb2.Correction(
            segment_id=shown.segment_id,
            language=shown.language,
            revision=shown.revision + 1,
            text=text,
            author=author,
        ),
    )


def find_shown(
    transaction: Transaction,
    session_id: str,
    config: gateway_pb2.SessionConfig,
    segment_id: int,
    language: str,
    *,
    before_sequence: int = _EVERYTHING,
) -> ShownText | None:
    """What was shown of a final before a sequence; None when it was not there yet."""
    is_source = language == config.source_language
    newest = transaction.connection.execute(
        "SELECT event FROM events WHERE session_id = ? AND segment_id = ? AND sequence < ? AND "
        "((kind = ? AND language = ?) OR (kind = 'correction' AND language = ?)) "
        "ORDER BY sequence DESC LIMIT 1",
        (
            session_id,
            segment_id,
            before_sequence,
            "transcript" if is_source else "translation",
            "" if is_source else language,
            language,
        ),
    ).fetchone()
    if newest is None:
        return None
    event = gateway_pb2.JournalEvent.FromString(newest[0])
    match event.WhichOneof("event"):
        case "transcript":
            revision, text = event.transcript.revision, event.transcript.stable_text
        case "translation":
            revision, text = event.translation.revision, event.translation.text
        case _:
            revision, text = event.correction.revision, event.correction.text
    return ShownText(segment_id, language, revision, text)
