"""The journal: one numbered event after another, on disk before anyone sees it.

SQLite in WAL mode. One writer thread owns the writing connection and commits whatever has queued up
as one transaction, so that many sessions share one fsync. What is still owed for a final (its
translations, their scores) is a row of the same database, written and deleted with the events:
after a crash the pipeline finds its work there.
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
from typing import Any, Literal, TypeVar, cast

import structlog

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import NotFound, Unavailable, WrongState
from services.gateway import metrics
from services.gateway.transaction import SCHEMA, Owed, Stage, Transaction

log = structlog.get_logger()

ResultT = TypeVar("ResultT")

_WRITE_QUEUE_LIMIT = 4096  # writers wait when it is full; nothing is dropped
_BATCH_LIMIT = 256
_PAGE_CACHE_KB = 512  # the pages in use are few and the kernel caches the file, too


@dataclass(frozen=True)
class SessionRow:
    """A session as the journal knows it; times in milliseconds since the Unix epoch."""

    session_id: str
    config: gateway_pb2.SessionConfig
    start_time_ms: int
    end_time_ms: int | None
    settled_sample: int
    revision_epoch: int
    final_count: int
    first_sequence: int
    last_sequence: int


_SESSION_COLUMNS = (
    "session_id, config, start_time_ms, end_time_ms, settled_sample, revision_epoch, final_count, "
    "first_sequence, last_sequence"
)


class Journal:
    """Appends and reads events. Coroutines may be called from one event loop only.

    `on_commit` is called in that loop with each batch of new events, in order, after they are
    durable.
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
        self._loop = asyncio.get_running_loop()
        self._writes: queue.Queue[_Write | None] = queue.Queue(_WRITE_QUEUE_LIMIT)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute(f"PRAGMA synchronous={synchronous.upper()}")
        self._connection.executescript(SCHEMA)
        self._reading = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._reading.execute("PRAGMA query_only=1")
        for connection in (self._connection, self._reading):
            connection.execute(f"PRAGMA cache_size=-{_PAGE_CACHE_KB}")
        self._reading_lock = threading.Lock()
        self.journal_id = self._read_or_make_id()
        self.last_sequence = int(
            self._connection.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()[0]
        )
        self._thread = threading.Thread(target=self._write_batches, name="journal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Writes what is queued and closes the file."""
        self._writes.put(None)
        self._thread.join()
        self._connection.close()
        self._reading.close()

    # Writing

    async def start_session(self, session_id: str, config: gateway_pb2.SessionConfig) -> None:
        """Appends session_started."""

        def write(transaction: Transaction) -> None:
            transaction.connection.execute(
                "INSERT INTO sessions (session_id, config, start_time_ms) VALUES (?, ?, ?)",
                (session_id, config.SerializeToString(), transaction.time_ms),
            )
            transaction.append(
                session_id, session_started=gateway_pb2.SessionStarted(config=config)
            )

        await self._write(write)

    async def append_transcript(
        self,
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
        dropped_count = 0

        def write(transaction: Transaction) -> bool:
            nonlocal dropped_count
            transaction.settle(session_id, settled_sample)
            sequence = transaction.append_once(
                session_id, segment_id=transcript.segment_id, transcript=transcript
            )
            if sequence is None:
                return False
            transaction.connection.execute(
                "UPDATE sessions SET final_count = final_count + 1 WHERE session_id = ?",
                (session_id,),
            )
            stages: tuple[Stage, ...] = ("translate", "alternative") if compared else ("translate",)
            for language in target_languages:
                for stage in stages:
                    transaction.owe(
                        Owed(stage, sequence, session_id, transcript.segment_id, language)
                    )
            if compared:
                dropped_count = transaction.drop_old_alternatives()
            return True

        is_new = await self._write(write)
        if dropped_count:
            metrics.ALTERNATIVES_DROPPED.labels("BEHIND").inc(dropped_count)
            log.warning("alternatives_dropped", reason="BEHIND", count=dropped_count)
        return is_new

    async def append_suppressed(
        self, session_id: str, suppressed: gateway_pb2.SegmentSuppressed, settled_sample: int
    ) -> bool:
        """Appends what stt heard and does not show; False if this audio was suppressed before.

        stt goes through the audio in order, so what begins before the end of the newest one is the
        same audio, decoded again after a break.
        """

        def write(transaction: Transaction) -> bool:
            transaction.settle(session_id, settled_sample)  # also what was decoded otherwise
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

        return await self._write(write)

    async def append_alternative(self, owed: Owed, translation: types_pb2.Translation) -> None:
        """Appends what the second mt made of a final."""

        def write(transaction: Transaction) -> None:
            transaction.append_once(
                owed.session_id,
                segment_id=owed.segment_id,
                language=owed.language,
                alternative_translation=translation,
            )
            transaction.pay(owed)

        await self._write(write)

    async def drop_alternative(self, owed: Owed) -> None:
        """A comparison will not be made; there is no event of it."""
        await self._write(lambda transaction: transaction.pay(owed))

    async def drop_alternatives(self) -> None:
        """Nothing is compared any more."""
        await self._write(
            lambda transaction: transaction.connection.execute(
                "DELETE FROM owed WHERE stage = 'alternative'"
            )
        )

    async def append_translation(self, owed: Owed, translation: types_pb2.Translation) -> None:
        """Appends a final translation; it is now owed a score."""

        def write(transaction: Transaction) -> None:
            sequence = transaction.append_once(
                owed.session_id,
                segment_id=owed.segment_id,
                language=owed.language,
                translation=translation,
            )
            transaction.pay(owed)
            if sequence is not None:
                transaction.owe(
                    Owed("score", sequence, owed.session_id, owed.segment_id, owed.language)
                )

        await self._write(write)

    async def append_translation_failed(self, owed: Owed, reason: str) -> None:
        """Appends that a final will never be translated."""

        def write(transaction: Transaction) -> None:
            transaction.append_once(
                owed.session_id,
                segment_id=owed.segment_id,
                language=owed.language,
                translation_failed=gateway_pb2.TranslationFailed(
                    segment_id=owed.segment_id, language=owed.language, reason=reason
                ),
            )
            transaction.pay(owed)

        await self._write(write)

    async def append_pair_scored(self, owed: Owed, pair: gateway_pb2.PairScored) -> None:
        """Appends a scored pair; nothing more is owed for it."""

        def write(transaction: Transaction) -> None:
            transaction.append_once(
                owed.session_id,
                segment_id=owed.segment_id,
                language=owed.language,
                pair_scored=pair,
            )
            transaction.pay(owed)

        await self._write(write)

    async def append_gap(self, session_id: str, gap: gateway_pb2.AudioGap) -> None:
        """Appends that samples never came."""
        await self._write(lambda transaction: transaction.append(session_id, audio_gap=gap))

    async def append_skip(self, session_id: str, gap: gateway_pb2.AudioGap) -> None:
        """Appends that samples are not recognised; they are settled with it."""

        def write(transaction: Transaction) -> None:
            transaction.append(session_id, audio_gap=gap)
            transaction.settle(session_id, gap.next_sample)

        await self._write(write)

    async def append_correction(
        self, session_id: str, segment_id: int, language: str, text: str, author: str
    ) -> int:
        """Appends a person's text and returns its sequence.

        Raises:
            NotFound: UNKNOWN_SESSION, or UNKNOWN_SEGMENT when there is no final to correct.
        """

        def write(transaction: Transaction) -> int:
            row = transaction.connection.execute(
                "SELECT config FROM sessions WHERE session_id = ?", (session_id,)
            ).fetchone()
            if row is None:
                raise _unknown_session(session_id)
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

        return await self._write(write)

    async def end_session(
        self, session_id: str, reason: gateway_pb2.EndReason, received_sample: int
    ) -> gateway_pb2.SessionClosed:
        """Appends session_ended, once.

        Raises:
            NotFound: UNKNOWN_SESSION.
            WrongState: SESSION_ENDED.
        """

        def write(transaction: Transaction) -> gateway_pb2.SessionClosed:
            row = transaction.connection.execute(
                "SELECT end_time_ms, final_count FROM sessions WHERE session_id = ?", (session_id,)
            ).fetchone()
            if row is None:
                raise _unknown_session(session_id)
            if row[0] is not None:
                raise session_ended(session_id)
            (untranslated_count,) = transaction.connection.execute(
                "SELECT "
                "(SELECT count(*) FROM owed WHERE session_id = ?1 AND stage = 'translate') + "
                "(SELECT count(*) FROM events WHERE session_id = ?1 "
                "AND kind = 'translation_failed')",
                (session_id,),
            ).fetchone()
            transaction.connection.execute(
                "UPDATE sessions SET end_time_ms = ? WHERE session_id = ?",
                (transaction.time_ms, session_id),
            )
            sequence = transaction.append(
                session_id,
                session_ended=gateway_pb2.SessionEnded(
                    reason=reason,
                    final_count=row[1],
                    untranslated_count=untranslated_count,
                    received_sample=received_sample,
                ),
            )
            return gateway_pb2.SessionClosed(final_count=row[1], sequence=sequence)

        return await self._write(write)

    async def settle(self, session_id: str, settled_sample: int) -> None:
        """Remembers that no audio below `settled_sample` is needed again."""
        await self._write(lambda transaction: transaction.settle(session_id, settled_sample))

    async def next_revision_epoch(self, session_id: str) -> int:
        """Counts that a session's recognition began anew, and returns the count."""

        def write(transaction: Transaction) -> int:
            (epoch,) = transaction.connection.execute(
                "UPDATE sessions SET revision_epoch = revision_epoch + 1 WHERE session_id = ? "
                "RETURNING revision_epoch",
                (session_id,),
            ).fetchone()
            return int(epoch)

        return await self._write(write)

    # Reading

    async def read(
        self, session_id: str, after_sequence: int, limit: int = 64
    ) -> list[gateway_pb2.JournalEvent]:
        """Events after a sequence, oldest first, of one session or ("") of all."""
        where = "sequence > ? AND session_id = ?" if session_id else "sequence > ?"
        arguments = (after_sequence, session_id) if session_id else (after_sequence,)
        rows = await self._read(
            f"SELECT sequence, event FROM events WHERE {where} ORDER BY sequence LIMIT {limit:d}",  # noqa: S608
            arguments,
        )
        return [_event_of(*row) for row in rows]

    async def read_segment_event(
        self, session_id: str, segment_id: int, kind: str, language: str = ""
    ) -> gateway_pb2.JournalEvent:
        """The one transcript or translation event of a segment; it must be there."""
        event = await self.find_segment_event(session_id, segment_id, kind, language)
        if event is None:
            raise LookupError(f"segment {segment_id} of session {session_id} has no {kind}")
        return event

    async def find_segment_event(
        self, session_id: str, segment_id: int, kind: str, language: str = ""
    ) -> gateway_pb2.JournalEvent | None:
        """The one event of a kind that a segment has; None when there is none."""
        rows = await self._read(
            "SELECT sequence, event FROM events WHERE session_id = ? AND segment_id = ? "
            "AND kind = ? AND language = ?",
            (session_id, segment_id, kind, language),
        )
        return _event_of(*rows[0]) if rows else None

    async def read_segments(
        self, session_id: str, first_segment_id: int, last_segment_id: int
    ) -> list[gateway_pb2.JournalEvent]:
        """Transcripts, translations and corrections of these segments, both included."""
        rows = await self._read(
            "SELECT sequence, event FROM events WHERE session_id = ? "
            "AND segment_id BETWEEN ? AND ? "
            "AND kind IN ('transcript', 'translation', 'correction') ORDER BY sequence",
            (session_id, first_segment_id, last_segment_id),
        )
        return [_event_of(*row) for row in rows]

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
            f"SELECT {_SESSION_COLUMNS} FROM sessions ORDER BY first_sequence DESC LIMIT ?",  # noqa: S608
            (limit,),
        )
        return [_session_of(row) for row in rows]

    async def read_open_sessions(self) -> list[SessionRow]:
        """Sessions that have not ended, oldest first."""
        rows = await self._read(
            f"SELECT {_SESSION_COLUMNS} FROM sessions WHERE end_time_ms IS NULL "  # noqa: S608
            "ORDER BY first_sequence",
            (),
        )
        return [_session_of(row) for row in rows]

    async def read_session(self, session_id: str) -> SessionRow:
        """One session. Raises NotFound UNKNOWN_SESSION."""
        rows = await self._read(
            f"SELECT {_SESSION_COLUMNS} FROM sessions WHERE session_id = ?",  # noqa: S608
            (session_id,),
        )
        if not rows:
            raise _unknown_session(session_id)
        return _session_of(rows[0])

    # Inside

    async def _read(self, sql: str, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
        def query() -> list[tuple[Any, ...]]:
            with self._reading_lock:
                return self._reading.execute(sql, tuple(arguments)).fetchall()

        return await asyncio.to_thread(query)

    async def _write(self, work: Callable[[Transaction], ResultT]) -> ResultT:
        write = _Write(work, self._loop.create_future())
        try:
            self._writes.put_nowait(write)
        except queue.Full:
            await asyncio.to_thread(self._writes.put, write)
        # Shielded: a cancelled caller must not leave the thread answering a cancelled future.
        return cast(ResultT, await asyncio.shield(write.result))

    def _write_batches(self) -> None:
        while (first := self._writes.get()) is not None:
            batch = [first]
            while len(batch) < _BATCH_LIMIT and not self._writes.empty():
                following = self._writes.get()
                if following is None:
                    self._writes.put(None)
                    break
                batch.append(following)
            self._commit(batch)

    def _commit(self, batch: list[_Write]) -> None:
        transaction = Transaction(self._connection, time.time_ns() // 1_000_000)
        outcomes: list[tuple[_Write, object]] = []
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for write in batch:
                outcomes.append((write, transaction.attempt(write.work)))
            self._connection.execute("COMMIT")
        except Exception as error:  # whatever it is, the writers must hear of it
            log.exception("journal_write_failed")
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            failure = Unavailable("JOURNAL_FAILED", f"the journal cannot be written: {error}")
            transaction.events.clear()
            outcomes = [(write, failure) for write in batch]
        self._loop.call_soon_threadsafe(self._publish, transaction.events, outcomes)

    def _publish(
        self, events: list[gateway_pb2.JournalEvent], outcomes: list[tuple[_Write, object]]
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


def session_ended(session_id: str) -> WrongState:
    """The error of a call that needs an open session."""
    return WrongState(
        "SESSION_ENDED",
        f"session {session_id} has ended; start a new one",
        session_id=session_id,
    )


def _unknown_session(session_id: str) -> NotFound:
    return NotFound("UNKNOWN_SESSION", f"there is no session {session_id!r}", session_id=session_id)


def _event_of(sequence: int, blob: bytes) -> gateway_pb2.JournalEvent:
    event = gateway_pb2.JournalEvent.FromString(blob)
    event.sequence = sequence
    return event


def _session_of(row: Sequence[Any]) -> SessionRow:
    session_id, config, *numbers = row
    return SessionRow(session_id, gateway_pb2.SessionConfig.FromString(config), *numbers)
