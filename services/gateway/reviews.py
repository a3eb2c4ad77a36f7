"""People's decisions on scored pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import InvalidInput, NotFound
from services.gateway.corrections import ShownText, append_change, find_shown
from services.gateway.session_rows import config_of
from services.gateway.transaction import Transaction

_Change = tuple[ShownText, str]  # what is shown, and what is wanted in its place


def append_review(
    transaction: Transaction, request: gateway_pb2.ReviewPairRequest
) -> gateway_pb2.ReviewPairResponse:
    """Appends a decision, and before it a correction for each text that it changes.

    A text of `request` that is empty stays as it is shown. A pair that is fixed without a change
    is journalled as accepted: its texts are right as they are shown. What a withdrawn decision
    changed goes back to what was shown before it, unless somebody changed it since.

    Raises:
        NotFound: UNKNOWN_SESSION, UNKNOWN_PAIR.
        InvalidInput: INVALID_DECISION, INVALID_REVIEW_ID.
    """
    config = config_of(transaction, request.session_id)
    known = _known_answer(transaction, request)
    if known is not None:
        return known
    pair = _scored(transaction, request)
    shown = [
        text
        for language in (config.source_language, request.language)
        if (text := _shown(transaction, request, config, language)) is not None
    ]
    newest = _newest(transaction, request)
    decision = request.decision
    changes: list[_Change] = []
    if decision in (types_pb2.DECISION_ACCEPTED, types_pb2.DECISION_FIXED):
        if _differing(shown, (request.shown_source_text, request.shown_target_text)):
            raise InvalidInput(
                "INVALID_DECISION",
                "somebody changed this pair since it was looked at: look at it again",
            )
        changes = _differing(shown, (request.source_text, request.target_text))
        if decision == types_pb2.DECISION_ACCEPTED and changes:
            raise InvalidInput(
                "INVALID_DECISION",
                "a pair is accepted with the texts that are shown, and these are others: look at "
                "it again, or send it as fixed",
            )
        if not changes:
            decision = types_pb2.DECISION_ACCEPTED
    elif decision == types_pb2.DECISION_WITHDRAWN:
        if newest is None or newest.decision == types_pb2.DECISION_WITHDRAWN:
            raise InvalidInput("INVALID_DECISION", "there is no decision on this pair to withdraw")
        changes = _taken_back(transaction, request, config, newest, shown)

    texts = {text.language: text.text for text in shown}
    sequences = []
    for text, wanted in changes:
        texts[text.language] = wanted
        sequences.append(
            append_change(transaction, request.session_id, text, wanted, request.reviewer)
        )
    revision = newest.revision + 1 if newest is not None else 1
    sequence = transaction.append(
        request.session_id,
        segment_id=request.segment_id,
        language=request.language,
        pair_reviewed=gateway_pb2.PairReviewed(
            segment_id=request.segment_id,
            language=request.language,
            revision=revision,
            decision=decision,
            source_text=texts[config.source_language],
            target_text=texts[request.language],
            reviewer=request.reviewer,
            review_id=request.review_id,
            pair=pair,
        ),
    )
    transaction.connection.execute(
        "INSERT INTO reviews (review_id, session_id, segment_id, language, revision, decision, "
        "first_sequence, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            request.review_id,
            request.session_id,
            request.segment_id,
            request.language,
            revision,
            decision,
            min((*sequences, sequence)),
            sequence,
        ),
    )
    return gateway_pb2.ReviewPairResponse(sequence=sequence, revision=revision)


@dataclass(frozen=True)
class _Review:
    """A decision in the journal; its corrections are those from `first_sequence` to `sequence`."""

    revision: int
    decision: int
    first_sequence: int
    sequence: int


def _known_answer(
    transaction: Transaction, request: gateway_pb2.ReviewPairRequest
) -> gateway_pb2.ReviewPairResponse | None:
    """The answer that this decision got the first time. Raises InvalidInput INVALID_REVIEW_ID."""
    row = transaction.connection.execute(
        "SELECT sequence, event FROM events "
        "WHERE sequence = (SELECT sequence FROM reviews WHERE review_id = ?)",
        (request.review_id,),
    ).fetchone()
    if row is None:
        return None
    sequence, event = row[0], gateway_pb2.JournalEvent.FromString(row[1])
    if event.session_id != request.session_id or not _is_same(request, event.pair_reviewed):
        raise InvalidInput(
            "INVALID_REVIEW_ID",
            f"review_id {request.review_id} names another decision than this one; make a new one",
        )
    return gateway_pb2.ReviewPairResponse(sequence=sequence, revision=event.pair_reviewed.revision)


def _is_same(request: gateway_pb2.ReviewPairRequest, reviewed: gateway_pb2.PairReviewed) -> bool:
    """Whether this was asked for; a fix that changed nothing was journalled as accepted."""
    about = (request.segment_id, request.language)
    decisions = {reviewed.decision}
    if reviewed.decision == types_pb2.DECISION_ACCEPTED:
        decisions.add(types_pb2.DECISION_FIXED)
    return (
        about == (reviewed.segment_id, reviewed.language)
        and request.decision in decisions
        and request.source_text in ("", reviewed.source_text.strip())
        and request.target_text in ("", reviewed.target_text.strip())
    )


def _scored(
    transaction: Transaction, request: gateway_pb2.ReviewPairRequest
) -> gateway_pb2.PairScored:
    row = transaction.connection.execute(
        "SELECT event FROM events WHERE session_id = ? AND segment_id = ? AND language = ? "
        "AND kind = 'pair_scored'",
        (request.session_id, request.segment_id, request.language),
    ).fetchone()
    if row is None:
        raise NotFound(
            "UNKNOWN_PAIR",
            f"segment {request.segment_id} of session {request.session_id} has no scored "
            f"translation into {request.language!r}",
            segment_id=request.segment_id,
            language=request.language,
        )
    return gateway_pb2.JournalEvent.FromString(row[0]).pair_scored


def _newest(transaction: Transaction, request: gateway_pb2.ReviewPairRequest) -> _Review | None:
    row = transaction.connection.execute(
        "SELECT revision, decision, first_sequence, sequence FROM reviews "
        "WHERE session_id = ? AND segment_id = ? AND language = ? ORDER BY revision DESC LIMIT 1",
        (request.session_id, request.segment_id, request.language),
    ).fetchone()
    return _Review(*row) if row is not None else None


def _shown(
    transaction: Transaction,
    request: gateway_pb2.ReviewPairRequest,
    config: gateway_pb2.SessionConfig,
    language: str,
    **bounds: int,
) -> ShownText | None:
    return find_shown(
        transaction, request.session_id, config, request.segment_id, language, **bounds
    )


def _differing(shown: Sequence[ShownText], texts: Sequence[str]) -> list[_Change]:
    """Those of `texts` that differ from what is shown; an empty one is not compared."""
    return [
        (text, other)
        for text, other in zip(shown, texts, strict=True)
        if other and other != text.text.strip()
    ]


def _taken_back(
    transaction: Transaction,
    request: gateway_pb2.ReviewPairRequest,
    config: gateway_pb2.SessionConfig,
    review: _Review,
    shown: Sequence[ShownText],
) -> list[_Change]:
    """What a decision changed and nobody changed since, with the texts before it."""
    rows = transaction.connection.execute(
        "SELECT event FROM events WHERE session_id = ? AND segment_id = ? "
        "AND kind = 'correction' AND sequence >= ? AND sequence < ?",
        (request.session_id, request.segment_id, review.first_sequence, review.sequence),
    )
    corrections = [gateway_pb2.JournalEvent.FromString(event).correction for (event,) in rows]
    changed = {(correction.language, correction.revision) for correction in corrections}
    return [
        (text, before.text)
        for text in shown
        if (text.language, text.revision) in changed
        and (
            before := _shown(
                transaction,
                request,
                config,
                text.language,
                before_sequence=review.first_sequence,
            )
        )
        is not None
    ]
