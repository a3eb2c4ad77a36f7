"""Deletes sessions: their events, what they are owed, their audio, what is in memory of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from glossa.gateway.v1 import gateway_pb2
from services.errors import Unavailable
from services.gateway.audio_store import AudioStore
from services.gateway.forgotten import Leaving, begin_forgetting, delete_piece, finish_forgetting
from services.gateway.journal import Journal
from services.gateway.models import shutting_down

log = structlog.get_logger()

_RETRY_S = 5.0
# Rewriting the journal holds every session's writes up, a second for some 100 MB: a larger one
# waits for a moment without open sessions.
_REWRITE_BESIDE_SESSIONS_BYTES = 64 * 2**20


class Forgetting:
    """One session after another; those that a stopped gateway left half deleted go first."""

    def __init__(
        self,
        journal: Journal,
        audio_store: AudioStore,
        forget_drafts: Callable[[str], None],
        nothing_open: asyncio.Event,
    ) -> None:
        """
        Args:
            nothing_open: set while no session is open.
        """
        self._journal = journal
        self._audio_store = audio_store
        self._forget_drafts = forget_drafts
        self._nothing_open = nothing_open
        self._wake = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[gateway_pb2.JournalEvent]] = {}

    async def forget(self, session_id: str) -> gateway_pb2.ForgetSessionResponse:
        """Deletes a session that has ended, and looks again afterwards.

        Raises:
            NotFound: UNKNOWN_SESSION.
            WrongState: SESSION_OPEN.
            Unavailable: JOURNAL_FAILED, JOURNAL_BUSY, AUDIO_STORE_FAILED, SHUTTING_DOWN; in each
                case it is gone on with by itself.
        """
        event = await self._journal.write(
            begin_forgetting, session_id, self._audio_store.size_bytes
        )
        if event is None:
            if session_id not in self._waiting:
                self._waiting[session_id] = asyncio.get_running_loop().create_future()
            self._wake.set()
            # Shielded: others may wait for it, too, and it goes on in any case.
            event = await asyncio.shield(self._waiting[session_id])
        return gateway_pb2.ForgetSessionResponse(
            sequence=event.sequence,
            event_count=event.session_forgotten.event_count,
            audio_bytes=event.session_forgotten.audio_bytes,
            remaining_row_count=await self._journal.count_rows(session_id),
            remaining_audio_bytes=self._audio_store.size_bytes(session_id),
        )

    async def run(self) -> None:
        """Deletes what is to be deleted until cancelled."""
        try:
            await self._run()
        finally:
            for session_id in list(self._waiting):
                self._fail(session_id, shutting_down())

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            all_left = True
            for leaving in await self._journal.read_leaving():
                all_left &= await self._forget(leaving)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if all_left else _RETRY_S):
                    await self._wake.wait()

    async def _forget(self, leaving: Leaving) -> bool:
        """Deletes one session and tells who waits for it; False: it is to be tried again."""
        try:
            event = await self._delete(leaving)
        except Unavailable as error:
            log.error(
                "forgetting_failed",
                session_id=leaving.session_id,
                reason=error.reason,
                message=error.message,
            )
            self._fail(leaving.session_id, error)
            return False
        waiting = self._waiting.pop(leaving.session_id, None)
        if waiting is not None:
            waiting.set_result(event)
        return True

    def _fail(self, session_id: str, error: Unavailable) -> None:
        waiting = self._waiting.pop(session_id, None)
        if waiting is not None:
            waiting.set_exception(error)
            waiting.exception()  # looked at: its caller may have left

    async def _delete(self, leaving: Leaving) -> gateway_pb2.JournalEvent:
        session_id = leaving.session_id
        log.info("session_leaving", session_id=session_id, event_count=leaving.event_count)
        try:
            await asyncio.to_thread(self._audio_store.delete, session_id)
        except OSError as error:
            raise Unavailable(
                "AUDIO_STORE_FAILED", f"the audio of session {session_id} stays: {error}"
            ) from error
        self._forget_drafts(session_id)
        while await self._journal.write(delete_piece, session_id):
            pass
        if (
            self._journal.size_bytes() > _REWRITE_BESIDE_SESSIONS_BYTES
            and not self._nothing_open.is_set()
        ):
            log.warning("forgetting_waits_for_open_sessions", session_id=session_id)
            await self._nothing_open.wait()
        await self._journal.rewrite()
        event = await self._journal.write(finish_forgetting, leaving)
        log.info(
            "session_forgotten",
            session_id=session_id,
            sequence=event.sequence,
            event_count=leaving.event_count,
            audio_bytes=leaving.audio_bytes,
        )
        return event
