"""What is journalled of the audio: finals, what is not shown, what never came."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway import metrics
from services.gateway.session_rows import settle
from services.gateway.transaction import Owed, Stage, Transaction

log = structlog.get_logger()


def append_transcript(
    transaction: Transaction,
    session_id: str,
    transcript: types_pb2.Transcript,
    target_languages: Sequence[str],
    settled_sample: int,
    *,
    compared: bool,
) -> bool:
    """Appends a final once, with the translations that it is owed; False if it was there.

    Args:
        compared: it is owed the translations of the second mt, too.
    """
    settle(transaction, session_id, settled_sample)
    sequence = transaction.append_once(
        session_id, segment_id=transcript.segment_id, transcript=transcript
    )
    if sequence is None:
        return False
    transaction.connection.execute(
        "UPDATE sessions SET final_count = final_count + 1 WHERE session_id = ?", (session_id,)
    )
    stages: tuple[Stage, ...] = ("translate", "alternative") if compared else ("translate",)
    for language in target_languages:
        for stage in stages:
            transaction.owe(Owed(stage, sequence, session_id, transcript.segment_id, language))
    if compared and (dropped_count := transaction.drop_old_alternatives()):
        metrics.ALTERNATIVES_DROPPED.labels("BEHIND").inc(dropped_count)
        log.warning("alternatives_dropped", reason="BEHIND", count=dropped_count)
    return True


def append_suppressed(
    transaction: Transaction,
    session_id: str,
    suppressed: gateway_pb2.SegmentSuppressed,
    settled_sample: int,
) -> bool:
    """Appends what stt heard and does not show; False if this audio was suppressed before.

    stt goes through the audio in order, so what begins before the end of the newest one is the
    same audio, decoded again after a break.
    """
    settle(transaction, session_id, settled_sample)  # also what was decoded otherwise
    row = transaction.connection.execute(
        "SELECT event FROM events WHERE session_id = ? AND kind = 'segment_suppressed' "
        "ORDER BY sequence DESC LIMIT 1",
        (session_id,),
    ).fetchone()
    if row is not None:
        known = gateway_pb2.JournalEvent.FromString(row[0]).segment_suppressed
        if suppressed.start_offset_ms < known.end_offset_ms or suppressed == known:
            return False
    transaction.append(session_id, segment_suppressed=suppressed)
    return True


def append_gap(transaction: Transaction, session_id: str, gap: gateway_pb2.AudioGap) -> None:
    """Appends that samples never came."""
    transaction.append(session_id, audio_gap=gap)


def append_skip(transaction: Transaction, session_id: str, gap: gateway_pb2.AudioGap) -> None:
    """Appends that samples are not recognised; they are settled with it."""
    transaction.append(session_id, audio_gap=gap)
    settle(transaction, session_id, gap.next_sample)
