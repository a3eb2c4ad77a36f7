"""Reads sessions from the gateway's journal into records; protobuf stops here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC
from typing import Any

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.audio import SAMPLE_RATE_HERTZ
from services.channels import open_channel
from services.collector.pair import Judged, Pair, ReviewedPair, ShownText
from services.collector.report.record import Final, Gap, Mended, SessionRecord, Translated
from services.collector.report.wording import words_of
from services.collector.upstream import change_of
from services.errors import NotFound, reason_of

# "What is new" is told by comparing with this many sessions before: some months of Sundays.
EARLIER_SESSIONS = 10
_SESSIONS_LISTED = 1000
_CALL_TIMEOUT_S = 10.0
_READ_TIMEOUT_S = 90.0


async def read_session(
    gateway_address: str, session_id: str, judge: Callable[[Pair], Judged]
) -> tuple[SessionRecord, frozenset[str] | None]:
    """One session as it is in the journal now, and the words of the sessions before it.

    Returns:
        The record, and the casefolded words said in the ten sessions before in the same language;
        None when there was none.

    Raises:
        NotFound: UNKNOWN_SESSION.
        grpc.aio.AioRpcError: the gateway cannot be read.
    """
    if not session_id:  # to the journal that is all of them
        raise _unknown(session_id)
    async with open_channel(gateway_address) as channel:
        journal = gateway_pb2_grpc.JournalServiceStub(channel)
        record = SessionRecord(session_id)
        try:
            async for response in _until_now(journal, session_id):
                record.journal_id = response.journal_id or record.journal_id
                if response.HasField("event"):
                    _take(record, response.event, judge)
        except grpc.aio.AioRpcError as error:
            if reason_of(error) == "UNKNOWN_SESSION":
                raise _unknown(session_id) from error
            raise
        if record.start_time is None:  # nothing is left of it but that it was forgotten
            raise _unknown(session_id)
        earlier = await _earlier_sessions(channel, record)
        if not earlier:
            return record, None
        words: set[str] = set()
        for earlier_id in earlier:
            async for response in _until_now(journal, earlier_id):
                if response.event.HasField("transcript"):
                    words.update(words_of(response.event.transcript.stable_text))
        return record, frozenset(words)


async def _until_now(journal: Any, session_id: str) -> AsyncIterator[Any]:
    async for response in journal.Follow(
        gateway_pb2.FollowRequest(session_id=session_id, until_now=True), timeout=_READ_TIMEOUT_S
    ):
        yield response


async def _earlier_sessions(channel: grpc.aio.Channel, record: SessionRecord) -> list[str]:
    gateway = gateway_pb2_grpc.GatewayServiceStub(channel)
    answer = await gateway.ListSessions(
        gateway_pb2.ListSessionsRequest(page_size=_SESSIONS_LISTED), timeout=_CALL_TIMEOUT_S
    )
    before = [
        session.session_id
        for session in answer.sessions  # newest first
        if record.start_time is not None
        and session.start_time.ToDatetime(tzinfo=UTC) < record.start_time
        and session.source_language == record.source_language
    ]
    return before[:EARLIER_SESSIONS]


def _take(record: SessionRecord, event: Any, judge: Callable[[Pair], Judged]) -> None:
    time = event.time.ToDatetime(tzinfo=UTC)
    match event.WhichOneof("event"):
        case "session_started":
            config = event.session_started.config
            record.title, record.source_language = config.title, config.source_language
            record.target_languages = tuple(config.target_languages)
            record.keeps_audio = config.store_audio
            record.start_time = time
        case "transcript":
            record.finals.append(_final(event.transcript, time))
        case "translation":
            record.translations.append(_translated(event.translation, time))
        case "translation_failed":
            record.failed.append(event.translation_failed.reason)
        case "segment_suppressed":
            record.suppressed.append(event.segment_suppressed.reason)
        case "audio_gap":
            gap = event.audio_gap
            record.gaps.append(Gap(_ms(gap.first_sample), _ms(gap.next_sample), gap.reason))
        case "session_ended":
            record.end_time = time
            reason = gateway_pb2.EndReason.Name(event.session_ended.reason)
            record.end_reason = reason.removeprefix("END_REASON_").lower()
        case _:
            change = change_of(event, judge)
            if isinstance(change, ReviewedPair):
                record.reviews.append(change)
            elif isinstance(change, ShownText):
                record.corrected_texts += 1
            elif isinstance(change, Judged):
                record.judged.append((time, change))


def _final(transcript: Any, time: Any) -> Final:
    return Final(
        segment_id=transcript.segment_id,
        time=time,
        text=transcript.stable_text,
        model=transcript.model,
        start_offset_ms=transcript.start_offset_ms,
        end_offset_ms=transcript.end_offset_ms,
        endpoint_offset_ms=transcript.endpoint_offset_ms,
        engine_ms=transcript.engine_ms,
        flags=tuple(transcript.flags),
        corrections=_mended(transcript.corrections),
        homophones=_mended(transcript.homophones),
        erased_word_count=_erased(transcript),
    )


def _translated(translation: Any, time: Any) -> Translated:
    return Translated(
        segment_id=translation.segment_id,
        language=translation.language,
        time=time,
        text=translation.text,
        model=translation.model,
        engine_ms=translation.engine_ms,
        flags=tuple(translation.flags),
        required_terms=tuple((term.source, term.target) for term in translation.required_terms),
        missing_terms=tuple((term.source, term.target) for term in translation.missing_terms),
        erased_word_count=_erased(translation),
    )


def _erased(final: Any) -> int | None:
    return final.erased_word_count if final.HasField("erased_word_count") else None


def _mended(corrections: Iterable[Any]) -> tuple[Mended, ...]:
    return tuple(Mended(each.heard, each.intended) for each in corrections)


def _ms(samples: int) -> int:
    return samples * 1000 // SAMPLE_RATE_HERTZ


def _unknown(session_id: str) -> NotFound:
    return NotFound(
        "UNKNOWN_SESSION",
        f"the journal has no session {session_id!r}; ./glossa report without one lists them",
        session_id=session_id,
    )
