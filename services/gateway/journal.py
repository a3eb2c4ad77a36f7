"""The journal: one numbered event after another, on disk before anyone sees it.

SQLite in WAL mode. One writer thread owns the writing connection and commits whatever has queued up
as one transaction, so that many sessions share one fsync. What is still owed for a final (its
translations, their scores) is a row of the same database, written and deleted with the events:
after a crash the pipeline finds its work there.

What can be written are functions on a Transaction, in files by their nouns: session_rows, heard,
translated, corrections, reviews, operated, forgotten. They run in the writer thread:
`await journal.write(append_gap, ...)`.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, cast

import structlog
from google.protobuf.message import DecodeError

from glossa.gateway.v1 import gateway_pb2
from services.errors import Unavailable
from services.gateway.forgotten import Leaving
from services.gateway.schema import prepare
from services.gateway.session_rows import COLUMNS, SessionRow, session_of
from services.gateway.soundness import check, damaged, damaged_events, is_sound, telling_damage
from services.gateway.transaction import (
    Owed,
    Stage,
    Transaction,
    unknown_segment,
    unknown_session,
)

log = structlog.get_logger()

ParamsT = ParamSpec("ParamsT")
ResultT = TypeVar("ResultT")

_WRITE_QUEUE_LIMIT = 4096  # writers wait when it is full; nothing is dropped
_BATCH_LIMIT = 256
_PAGE_CACHE_KB = 512  # the pages in use are few and the kernel caches the file, too


class Journal:
    """Appends and reads events. Coroutines may be called from one event loop only.

    `on_commit` is called in that loop with each batch of new events, in order, after they are
    durable. Opening raises Unavailable JOURNAL_DAMAGED, and so does whatever reads, when the disk
    gives back something else than was written.
    """

    def __init__(
        self,
        path: Path,
        on_commit: Callable[[Sequence[gateway_pb2.JournalEvent]], None],
        synchronous: Literal["full", "normal"] = "full",
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._on_commit = on_commit
        self.failure = ""  # why what was to be written last could not be; empty: it was
        self._loop = asyncio.get_running_loop()
        self._writes: queue.Queue[_Write | _Rewrite | None] = queue.Queue(_WRITE_QUEUE_LIMIT)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        with telling_damage(path):
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute(f"PRAGMA synchronous={synchronous.upper()}")
            self._connection.execute("PRAGMA secure_delete=ON")
            # Rewriting needs as much room as the journal has: /tmp may be in memory.
            folder = str(path.parent.resolve()).replace("'", "''")
            self._connection.execute(f"PRAGMA temp_store_directory='{folder}'")
            prepare(self._connection)
            check(self._connection, path)
        self._reading = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._reading.execute("PRAGMA query_only=1")
        for connection in (self._connection, self._reading):
            connection.execute(f"PRAGMA cache_size=-{_PAGE_CACHE_KB}")
        self._reading_lock = threading.Lock()
        self.journal_id = self._read_or_make_id()
        # Not the greatest in `events`: it may have been deleted, and followers have seen it.
        self.last_sequence = int(
            self._connection.execute(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'"
            ).fetchone()[0]
        )
        self._thread = threading.Thread(target=self._write_batches, name="journal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Writes what is queued and closes the file."""
        self._writes.put(None)
        self._thread.join()
        self._connection.close()
        self._reading.close()

    async def write(
        self,
        work: Callable[Concatenate[Transaction, ParamsT], ResultT],
        *args: ParamsT.args,
        **kwargs: ParamsT.kwargs,
    ) -> ResultT:
        """Does one piece of work in the next transaction; returns once it is durable.

        Raises:
            Unavailable: JOURNAL_FAILED; nothing of it is written.
            GlossaError: why `work` refused; nothing of it is written.
        """
        write = _Write(
            lambda transaction: work(transaction, *args, **kwargs), self._loop.create_future()
        )
        return cast(ResultT, await self._enqueue(write))

    async def rewrite(self) -> None:
        """Writes the journal's file anew, without the traces of what was deleted.

        secure_delete zeroes a row where it lies. But when SQLite balances its pages it moves rows
        and may leave copies in the unused room of a page, and the write-ahead log has the pages as
        they were: VACUUM and a truncating checkpoint take both away. Other writes wait meanwhile.

        Raises:
            Unavailable: JOURNAL_FAILED; JOURNAL_BUSY, another program is reading it.
        """
        await self._enqueue(_Rewrite(self._loop.create_future()))

    def size_bytes(self) -> int:
        """Size of the journal's file, without its write-ahead log."""
        return self._path.stat().st_size

    # Reading

    async def read(
        self, session_id: str, after_sequence: int, limit: int = 64
    ) -> list[gateway_pb2.JournalEvent]:
        """Events after a sequence, oldest first, of one session or ("") of all."""
        where = "sequence > ? AND session_id = ?" if session_id else "sequence > ?"
        arguments = (after_sequence, session_id) if session_id else (after_sequence,)
        rows = await self._read(
            f"SELECT sequence, event, checksum FROM events WHERE {where} "  # noqa: S608
            f"ORDER BY sequence LIMIT {limit:d}",
            arguments,
        )
        return [self._event(*row) for row in rows]

    async def read_segment_event(
        self, session_id: str, segment_id: int, kind: str, language: str = ""
    ) -> gateway_pb2.JournalEvent:
        """The one event of a kind that a segment has. Raises NotFound UNKNOWN_SEGMENT."""
        event = await self.find_segment_event(session_id, segment_id, kind, language)
        if event is None:
            raise unknown_segment(session_id, segment_id)
        return event

    async def find_segment_event(
        self, session_id: str, segment_id: int, kind: str, language: str = ""
    ) -> gateway_pb2.JournalEvent | None:
        """The one event of a kind that a segment has; None when there is none."""
        rows = await self._read(
            "SELECT sequence, event, checksum FROM events WHERE session_id = ? AND segment_id = ? "
            "AND kind = ? AND language = ?",
            (session_id, segment_id, kind, language),
        )
        return self._event(*rows[0]) if rows else None

    async def read_segments(
        self, session_id: str, first_segment_id: int, last_segment_id: int
    ) -> list[gateway_pb2.JournalEvent]:
        """Transcripts, translations and corrections of these segments, both included.

        With them the resets whose last final is one of these.
        """
        rows = await self._read(
            "SELECT sequence, event, checksum FROM events WHERE session_id = ? "
            "AND segment_id BETWEEN ? AND ? "
            "AND kind IN ('transcript', 'translation', 'correction', 'session_reset') "
            "ORDER BY sequence",
            (session_id, first_segment_id, last_segment_id),
        )
        return [self._event(*row) for row in rows]

    async def read_gaps(self, session_id: str) -> list[gateway_pb2.JournalEvent]:
        """The gaps in a session's audio, oldest first."""
        rows = await self._read(
            "SELECT sequence, event, checksum FROM events "
            "WHERE session_id = ? AND kind = 'audio_gap' ORDER BY sequence",
            (session_id,),
        )
        return [self._event(*row) for row in rows]

    async def read_owed(self, stage: Stage, limit: int) -> list[Owed]:
        """The oldest work of a stage."""
        rows = await self._read(
            "SELECT stage, sequence, session_id, segment_id, language FROM owed WHERE stage = ? "
            "ORDER BY sequence LIMIT ?",
            (stage, limit),
        )
        return [Owed(*row) for row in rows]

    async def count_owed(self, stage: Stage, session_id: str) -> int:
        """How much work of a stage a session is owed."""
        rows = await self._read(
            "SELECT count(*) FROM owed WHERE session_id = ? AND stage = ?", (session_id, stage)
        )
        return int(rows[0][0])

    async def read_sessions(self, limit: int) -> list[SessionRow]:
        """Sessions, newest first."""
        rows = await self._read(
            f"SELECT {COLUMNS} FROM sessions ORDER BY first_sequence DESC LIMIT ?",  # noqa: S608
            (limit,),
        )
        return [self._session(row) for row in rows]

    async def read_open_sessions(self) -> list[SessionRow]:
        """Sessions that have not ended, oldest first."""
        rows = await self._read(
            f"SELECT {COLUMNS} FROM sessions WHERE end_time_ms IS NULL "  # noqa: S608
            "ORDER BY first_sequence",
            (),
        )
        return [self._session(row) for row in rows]

    async def read_ended_sessions(self, ended_before_ms: int) -> list[str]:
        """Ids of the sessions that ended before a time, in milliseconds since the Unix epoch."""
        rows = await self._read(
            "SELECT session_id FROM sessions WHERE end_time_ms < ?", (ended_before_ms,)
        )
        return [session_id for (session_id,) in rows]

    async def read_session(self, session_id: str) -> SessionRow:
        """One session. Raises NotFound UNKNOWN_SESSION."""
        rows = await self._read(
            f"SELECT {COLUMNS} FROM sessions WHERE session_id = ?",  # noqa: S608
            (session_id,),
        )
        if not rows:
            raise unknown_session(session_id)
        return self._session(rows[0])

    async def read_screens(self) -> gateway_pb2.Screens:
        """What all screens show; nothing but captions when nobody has said."""
        rows = await self._read(
            "SELECT sequence, event, checksum FROM events WHERE kind = 'screens' "
            "ORDER BY sequence DESC LIMIT 1",
            (),
        )
        return self._event(*rows[0]).screens if rows else gateway_pb2.Screens()

    async def read_leaving(self) -> list[Leaving]:
        """Sessions that are being forgotten."""
        rows = await self._read("SELECT session_id, event_count, audio_bytes FROM forgetting", ())
        return [Leaving(*row) for row in rows]

    async def count_rows(self, session_id: str) -> int:
        """Rows of a session in all tables, but for its session_forgotten."""
        rows = await self._read(
            "SELECT "
            "(SELECT count(*) FROM events WHERE session_id = ?1 AND kind <> 'session_forgotten') + "
            "(SELECT count(*) FROM sessions WHERE session_id = ?1) + "
            "(SELECT count(*) FROM reviews WHERE session_id = ?1) + "
            "(SELECT count(*) FROM owed WHERE session_id = ?1) + "
            "(SELECT count(*) FROM forgetting WHERE session_id = ?1)",
            (session_id,),
        )
        return int(rows[0][0])

    async def check_followable(self, session_id: str) -> None:
        """Raises NotFound UNKNOWN_SESSION unless there is an event of the session.

        Of one that was forgotten there is the event that says so.
        """
        if not await self._read("SELECT 1 FROM events WHERE session_id = ? LIMIT 1", (session_id,)):
            raise unknown_session(session_id)

    # Inside

    async def _enqueue(self, item: _Write | _Rewrite) -> object:
        try:
            self._writes.put_nowait(item)
        except queue.Full:
            await asyncio.to_thread(self._writes.put, item)
        # Shielded: a cancelled caller must not leave the thread answering a cancelled future.
        return await asyncio.shield(item.result)

    def _event(
        self, sequence: int, content: bytes, expected: int | None
    ) -> gateway_pb2.JournalEvent:
        if not is_sound(content, expected):
            raise damaged_events(self._path, [sequence])
        try:
            event = gateway_pb2.JournalEvent.FromString(content)
        except DecodeError as error:  # it was written without a checksum
            raise damaged_events(self._path, [sequence]) from error
        event.sequence = sequence
        return event

    def _session(self, row: Sequence[Any]) -> SessionRow:
        try:
            return session_of(row)
        except (DecodeError, TypeError) as error:
            raise damaged(self._path, f"the session {row[0]} is not as it was written") from error

    async def _read(self, sql: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
        def query() -> list[tuple[Any, ...]]:
            with self._reading_lock, telling_damage(self._path):
                return self._reading.execute(sql, tuple(arguments)).fetchall()

        return await asyncio.to_thread(query)

    def _write_batches(self) -> None:
        while (item := self._writes.get()) is not None:
            batch: list[_Write] = []
            while isinstance(item, _Write):
                batch.append(item)
                if len(batch) == _BATCH_LIMIT or self._writes.empty():
                    break
                item = self._writes.get()
            if batch:
                self._commit(batch)
            if isinstance(item, _Rewrite):
                self._rewrite(item)
            elif item is None:
                return

    def _commit(self, batch: list[_Write]) -> None:
        transaction = Transaction(self._connection, time.time_ns() // 1_000_000)
        outcomes: list[tuple[_Write, object]] = []
        changes_before = self._connection.total_changes
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in batch:
                outcomes.append((write, transaction.attempt(write.work)))
            self._connection.execute("COMMIT")
            if self._connection.total_changes > changes_before:
                self.failure = ""
        except Exception as error:  # whatever it is, the writers must hear of it
            log.exception("journal_write_failed")
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            failure = Unavailable("JOURNAL_FAILED", f"the journal cannot be written: {error}")
            self.failure = str(error)
            transaction.events.clear()
            outcomes = [(write, failure) for write in batch]
        self._loop.call_soon_threadsafe(self._publish, transaction.events, outcomes)

    def _rewrite(self, rewrite: _Rewrite) -> None:
        outcome: Unavailable | None = None
        try:
            self._connection.execute("VACUUM")
            with self._reading_lock:
                is_busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if is_busy:
                outcome = Unavailable(
                    "JOURNAL_BUSY",
                    "another program is reading the journal (a backup?), so that what was deleted "
                    "is still in its write-ahead log; it is tried again until that has ended",
                )
        except sqlite3.Error as error:
            log.exception("journal_rewrite_failed")
            outcome = Unavailable("JOURNAL_FAILED", f"the journal cannot be rewritten: {error}")
        self._loop.call_soon_threadsafe(self._publish, [], [(rewrite, outcome)])

    def _publish(
        self,
        events: list[gateway_pb2.JournalEvent],
        outcomes: Sequence[tuple[_Write | _Rewrite, object]],
    ) -> None:
        if events:
            self.last_sequence = events[-1].sequence
            self._on_commit(events)
        for write, outcome in outcomes:
            if write.result.cancelled():
                continue
            if isinstance(outcome, Exception):
                write.result.set_exception(outcome)
            else:
                write.result.set_result(outcome)

    def _read_or_make_id(self) -> str:
        row = self._connection.execute("SELECT journal_id FROM journal").fetchone()
        if row is None:
            row = (uuid.uuid4().hex,)
            self._connection.execute("INSERT INTO journal VALUES (?)", row)
        return str(row[0])


@dataclass(frozen=True)
class _Write:
    work: Callable[[Transaction], object]
    result: asyncio.Future[object]


@dataclass(frozen=True)
class _Rewrite:
    result: asyncio.Future[object]
