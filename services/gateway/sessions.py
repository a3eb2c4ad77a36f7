"""The sessions that have not ended: opened, resumed, restored after a restart, ended."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence

import structlog

from glossa.gateway.v1 import gateway_pb2
from services.errors import Overloaded
from services.gateway.held import held_stretches
from services.gateway.session import Session
from services.gateway.session_rows import (
    SessionRow,
    next_revision_epoch,
    session_ended,
    start_session,
)
from services.gateway.surroundings import Progress, Surroundings

log = structlog.get_logger()

_RETRY_AFTER_S = 10.0


class Sessions:
    """Owns every open session's task."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._with = surroundings
        self._open: dict[str, Session] = {}
        self._tasks = asyncio.TaskGroup()
        self.restored = asyncio.Event()
        self.nothing_open = asyncio.Event()
        self.nothing_open.set()
        self._beginning: set[asyncio.Task[Session]] = set()

    async def run(self) -> None:
        """Restores the sessions that a stopped gateway left open; runs all until cancelled."""
        async with self._tasks:
            for row in await self._with.journal.read_open_sessions():
                await self._restore(row)
            self.restored.set()
            await asyncio.Event().wait()

    async def open(self, config: gateway_pb2.SessionConfig) -> Session:
        """Starts a session.

        Raises:
            InvalidInput: UNSUPPORTED_LANGUAGE.
            Overloaded: TOO_MANY_SESSIONS, FALLING_BEHIND.
        """
        await self._with.models.check_languages(config.source_language, config.target_languages)
        # Shielded: a session that is being written down is opened, even if its speaker goes away.
        beginning = asyncio.create_task(self._begin(config))
        self._beginning.add(beginning)
        beginning.add_done_callback(self._beginning.discard)
        return await asyncio.shield(beginning)

    def _check_room(self) -> None:
        """Raises Overloaded when one more session would be too many; the open ones go on."""
        limit = self._with.settings.max_sessions
        if len(self._open) + len(self._beginning) > limit:  # the new one is among the beginning
            raise Overloaded(
                "TOO_MANY_SESSIONS",
                f"{limit} sessions are open, which is the limit; end one first",
                retry_after_s=_RETRY_AFTER_S,
                limit=limit,
            )
        max_lag_s = self._with.settings.max_lag_s
        lag_s = max((session.lag_s() for session in self._open.values()), default=0.0)
        if lag_s > max_lag_s:
            log.warning("session_refused", lag_s=round(lag_s, 1), open_sessions=len(self._open))
            raise Overloaded(
                "FALLING_BEHIND",
                f"captions come {lag_s:.1f} s late, and one more session would make that worse: "
                "end one of those that are open, or try again when they have caught up "
                f"(GLOSSA_GATEWAY_MAX_LAG_S is {max_lag_s:g})",
                retry_after_s=_RETRY_AFTER_S,
                limit=max_lag_s,
            )

    async def _begin(self, config: gateway_pb2.SessionConfig) -> Session:
        self._check_room()
        # Sorts by time, and cannot be guessed from another.
        session_id = time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + secrets.token_hex(4)
        config.session_id = session_id
        start_time_ms = await self._with.journal.write(start_session, session_id, config)
        log.info("session_started", session_id=session_id)
        return self._start(config, Progress(start_time_ms))

    async def resume(self, session_id: str) -> Session:
        """An open session. Raises NotFound UNKNOWN_SESSION or WrongState SESSION_ENDED."""
        session = self._open.get(session_id)
        if session is None:
            await self._with.journal.read_session(session_id)
            raise session_ended(session_id)
        return session

    def newest_first(self) -> list[Session]:
        """The open sessions."""
        return sorted(self._open.values(), key=lambda each: each.start_time_ms, reverse=True)

    def target_languages(self, session_id: str) -> Sequence[str]:
        """Of an open session; none of any other."""
        session = self._open.get(session_id)
        return session.config.target_languages if session is not None else ()

    def committed(self, events: Sequence[gateway_pb2.JournalEvent]) -> None:
        """Tells sessions what was journalled of them."""
        for event in events:
            session = self._open.get(event.session_id)
            if session is not None:
                session.committed(event)

    async def _restore(self, row: SessionRow) -> None:
        journal = self._with.journal
        epoch = await journal.write(next_revision_epoch, row.session_id)
        progress = Progress(
            row.start_time_ms,
            row.settled_sample,
            row.final_count,
            epoch,
            held_stretches(row, await journal.read_gaps(row.session_id)),
            await journal.count_owed("translate", row.session_id),
        )
        log.info("session_restored", session_id=row.session_id, final_count=row.final_count)
        self._start(row.config, progress)

    def _start(self, config: gateway_pb2.SessionConfig, progress: Progress) -> Session:
        session = Session(config, self._with, progress)
        self._open[session.session_id] = session
        self.nothing_open.clear()
        self._tasks.create_task(self._run(session))
        return session

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            del self._open[session.session_id]
            if not self._open:
                self.nothing_open.set()
