"""A transcript from a gateway's journal: of any session there ever was, with the times of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.captions.transcripts.transcript import (
    Segment,
    Text,
    Transcript,
    Word,
    unknown_session,
)
from services.captions.transcripts.word_times import timed_words
from services.errors import OutOfRange

_READ_TIMEOUT_S = 30.0
# Ten hours of short sentences in nine languages: what one answer may hold in memory.
_TEXTS_LIMIT = 100_000


async def read_transcript(channel: grpc.aio.Channel, session_id: str) -> Transcript:
    """The session as it is in the journal now, without what is hidden.

    Raises:
        NotFound: UNKNOWN_SESSION; of a forgotten session, too.
        OutOfRange: TRANSCRIPT_TOO_LONG.
        grpc.aio.AioRpcError: the gateway cannot be read.
    """
    if not session_id:  # to the journal that is all of them
        raise unknown_session(session_id)
    reading = _Reading(session_id)
    call = gateway_pb2_grpc.JournalServiceStub(channel).Follow(
        gateway_pb2.FollowRequest(session_id=session_id, until_now=True), timeout=_READ_TIMEOUT_S
    )
    try:
        async for response in call:
            if response.HasField("event"):
                reading.take(response.event)
    finally:
        call.cancel()
    return reading.transcript()


@dataclass(frozen=True, slots=True)
class _Spoken:
    start_offset_ms: int
    end_offset_ms: int
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class _Shown:
    revision: int
    text: str
    is_corrected: bool


class _Reading:
    """What the events so far say of a session."""

    def __init__(self, session_id: str) -> None:
        self._session_id = session_id
        self._started: Any = None
        self._is_live = True
        self._spoken: dict[int, _Spoken] = {}
        self._shown: dict[tuple[int, str], _Shown] = {}
        self._hidden: set[int] = set()

    def take(self, event: Any) -> None:
        """Takes a JournalEvent; scores, gaps and what a newer gateway adds say nothing here.

        Raises:
            NotFound: UNKNOWN_SESSION; it is forgotten.
            OutOfRange: TRANSCRIPT_TOO_LONG.
        """
        match event.WhichOneof("event"):
            case "session_started":
                self._started = event
            case "transcript":
                said = event.transcript
                self._spoken[said.segment_id] = _Spoken(
                    said.start_offset_ms, said.end_offset_ms, tuple(map(_word, said.words))
                )
                self._show(said.segment_id, said.language, said.revision, said.stable_text)
            case "translation":
                made = event.translation
                self._show(made.segment_id, made.language, made.revision, made.text)
            case "correction":
                made = event.correction
                self._show(
                    made.segment_id, made.language, made.revision, made.text, is_corrected=True
                )
            case "segment_hidden":
                change = (
                    self._hidden.add if event.segment_hidden.is_hidden else self._hidden.discard
                )
                change(event.segment_hidden.segment_id)
            case "session_ended":
                self._is_live = False
            case "session_forgotten":
                raise unknown_session(self._session_id)

    def _show(
        self,
        segment_id: int,
        language: str,
        revision: int,
        text: str,
        *,
        is_corrected: bool = False,
    ) -> None:
        known = self._shown.get((segment_id, language))
        if known is None or revision >= known.revision:
            self._shown[segment_id, language] = _Shown(revision, text, is_corrected)
        if len(self._shown) > _TEXTS_LIMIT:
            raise OutOfRange(
                "TRANSCRIPT_TOO_LONG",
                f"this session has more than {_TEXTS_LIMIT} texts; read its journal itself "
                "(JournalService.Follow)",
            )

    def transcript(self) -> Transcript:
        """All of it. Raises NotFound: UNKNOWN_SESSION."""
        if self._started is None:
            raise unknown_session(self._session_id)
        config = self._started.session_started.config
        texts: dict[int, dict[str, Text]] = {}
        for (segment_id, language), shown in self._shown.items():
            spoken = self._spoken.get(segment_id)
            if spoken is None or segment_id in self._hidden:
                continue
            heard: Sequence[Word] = spoken.words if language == config.source_language else ()
            texts.setdefault(segment_id, {})[language] = Text(
                shown.text,
                shown.is_corrected,
                timed_words(shown.text, heard, spoken.end_offset_ms),
            )
        segments = [
            Segment(each, self._spoken[each].start_offset_ms, self._spoken[each].end_offset_ms, by)
            for each, by in texts.items()
        ]
        return Transcript(
            session_id=self._session_id,
            title=config.title,
            start_time=self._started.time.ToDatetime(tzinfo=UTC),
            source_language=config.source_language,
            target_languages=tuple(config.target_languages),
            is_live=self._is_live,
            segments=tuple(
                sorted(segments, key=lambda each: (each.start_offset_ms, each.segment_id))
            ),
        )


def _word(word: Any) -> Word:
    return Word(
        word.text,
        word.start_offset_ms,
        word.end_offset_ms,
        word.probability if word.HasField("probability") else None,
    )
