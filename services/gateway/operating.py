"""What operators ask for, call by call: sessions listed and ended, texts changed, lines hidden."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from glossa.gateway.v1 import gateway_pb2
from services.errors import InvalidInput
from services.gateway.audio_store import AudioStore
from services.gateway.corrections import append_correction
from services.gateway.forgetting import Forgetting
from services.gateway.journal import Journal
from services.gateway.operated import append_hidden, append_screens
from services.gateway.requests import (
    MAX_NAME_CHARACTERS,
    checked_review,
    checked_screens,
    checked_text,
)
from services.gateway.reviews import append_review
from services.gateway.session_rows import SessionRow
from services.gateway.sessions import Sessions
from services.gateway.status import Status


class Operating:
    """The unary calls of GatewayService; their reasons are in the protocol."""

    def __init__(
        self,
        journal: Journal,
        sessions: Sessions,
        forgetting: Forgetting,
        audio_store: AudioStore,
        status: Status,
    ) -> None:
        self._journal = journal
        self._sessions = sessions
        self._forgetting = forgetting
        self._audio_store = audio_store
        self._status = status
        self._in_hand: set[asyncio.Task[int]] = set()

    async def list_sessions(
        self, request: gateway_pb2.ListSessionsRequest
    ) -> gateway_pb2.ListSessionsResponse:
        page_size = request.page_size or 100
        if not 1 <= page_size <= 1000:
            raise InvalidInput("INVALID_PAGE_SIZE", "page_size must be between 1 and 1000")
        rows = await self._journal.read_sessions(page_size)
        return gateway_pb2.ListSessionsResponse(
            sessions=[_message(row, self._audio_store.has(row.session_id)) for row in rows]
        )

    async def correct(
        self, request: gateway_pb2.CorrectSegmentRequest
    ) -> gateway_pb2.CorrectSegmentResponse:
        text = checked_text("a correction", request.text)
        if not text:
            raise InvalidInput("EMPTY_TEXT", "a correction needs a text")
        sequence = await self._journal.write(
            append_correction,
            request.session_id,
            request.segment_id,
            request.language,
            text,
            _name(request.author),
        )
        return gateway_pb2.CorrectSegmentResponse(sequence=sequence)

    async def review(
        self, request: gateway_pb2.ReviewPairRequest
    ) -> gateway_pb2.ReviewPairResponse:
        return await self._journal.write(append_review, checked_review(request))

    async def forget(
        self, request: gateway_pb2.ForgetSessionRequest
    ) -> gateway_pb2.ForgetSessionResponse:
        return await self._forgetting.forget(request.session_id)

    async def end(self, request: gateway_pb2.EndSessionRequest) -> gateway_pb2.EndSessionResponse:
        session = await self._sessions.resume(request.session_id)
        session.finish(gateway_pb2.END_REASON_OPERATOR)
        closed = await asyncio.shield(session.closed)
        return gateway_pb2.EndSessionResponse(sequence=closed.sequence)

    async def hold(
        self, request: gateway_pb2.HoldSessionRequest
    ) -> gateway_pb2.HoldSessionResponse:
        session = await self._sessions.resume(request.session_id)
        author = _name(request.author)
        work = session.hold(author) if request.is_held else session.go_on(author)
        return gateway_pb2.HoldSessionResponse(sequence=await self._whole(work))

    async def reset(
        self, request: gateway_pb2.ResetSessionRequest
    ) -> gateway_pb2.ResetSessionResponse:
        session = await self._sessions.resume(request.session_id)
        work = session.reset(_name(request.author))
        return gateway_pb2.ResetSessionResponse(sequence=await self._whole(work))

    async def hide(
        self, request: gateway_pb2.HideSegmentRequest
    ) -> gateway_pb2.HideSegmentResponse:
        sequence = await self._journal.write(
            append_hidden,
            request.session_id,
            request.segment_id,
            is_hidden=request.is_hidden,
            author=_name(request.author),
        )
        return gateway_pb2.HideSegmentResponse(sequence=sequence)

    async def set_screens(
        self, request: gateway_pb2.SetScreensRequest
    ) -> gateway_pb2.SetScreensResponse:
        sequence = await self._journal.write(append_screens, checked_screens(request))
        return gateway_pb2.SetScreensResponse(sequence=sequence)

    async def _whole(self, work: Coroutine[Any, Any, int]) -> int:
        """Does it to its end, even if the caller goes away."""
        task = asyncio.create_task(work)
        self._in_hand.add(task)
        task.add_done_callback(self._in_hand.discard)
        return await asyncio.shield(task)

    def status(self) -> gateway_pb2.GetStatusResponse:
        return self._status.now()


def _name(author: str) -> str:
    return author[:MAX_NAME_CHARACTERS]


def _message(row: SessionRow, has_audio: bool) -> gateway_pb2.Session:
    session = gateway_pb2.Session(
        session_id=row.session_id,
        title=row.config.title,
        source_language=row.config.source_language,
        target_languages=row.config.target_languages,
        final_count=row.final_count,
        first_sequence=row.first_sequence,
        last_sequence=row.last_sequence,
        # Of an open session no audio may have come yet.
        store_audio=row.config.store_audio and (has_audio or row.end_time_ms is None),
        is_held=row.held_from_sample is not None,
    )
    session.start_time.FromMilliseconds(row.start_time_ms)
    if row.end_time_ms is not None:
        session.end_time.FromMilliseconds(row.end_time_ms)
    return session
