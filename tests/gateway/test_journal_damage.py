"""A journal that its disk has damaged: told aloud with a way back, and nothing wrong is served."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bench.filled_journal import fill
from glossa.gateway.v1 import gateway_pb2
from services.errors import Unavailable
from services.gateway.journal import Journal

_PAGE_BYTES = 4096


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A journal with the events of two hundred pairs, closed."""
    await fill(tmp_path, 200)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tmp_path / "journal.db"


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Journal]:
    journal = Journal(path, lambda events: None)
    try:
        yield journal
    finally:
        journal.close()


def refusal(path: Path) -> Unavailable:
    with pytest.raises(Unavailable) as refused:
        Journal(path, lambda events: None)
    assert refused.value.reason == "JOURNAL_DAMAGED"
    return refused.value


def overwrite(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


async def test_an_undamaged_journal_opens_and_says_what_was_written(path: Path) -> None:
    async with opened(path) as journal:
        assert len(await journal.read("", 0, 1000)) == 602  # with the session's start and end


async def test_work_that_is_owed_is_no_damage(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO owed (stage, sequence, session_id, segment_id, language) "
            "SELECT 'score', sequence, session_id, segment_id, 'es' FROM events LIMIT 50"
        )
    async with opened(path) as journal:
        assert len(await journal.read_owed("score", 64)) == 50


async def test_a_page_of_rubbish_is_told_at_the_start_with_the_way_back(path: Path) -> None:
    overwrite(path, 9 * _PAGE_BYTES, b"\xa5" * _PAGE_BYTES)
    error = refusal(path)
    assert str(path) in error.message
    assert "backup" in error.message


async def test_a_file_that_is_no_database_is_told_so(path: Path) -> None:
    overwrite(path, 0, b"\xa5" * _PAGE_BYTES)
    refusal(path)


async def test_a_file_that_lost_its_end_is_told_so(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(20 * _PAGE_BYTES)
    refusal(path)


async def test_one_letter_that_changed_in_a_caption_is_found_at_the_start(path: Path) -> None:
    sequence = change_a_letter(path)
    assert f": {sequence})" in refusal(path).message


async def test_a_letter_that_changes_while_the_gateway_runs_is_not_served(path: Path) -> None:
    async with opened(path) as journal:
        sequence = change_a_letter(path)
        with pytest.raises(Unavailable) as refused:
            await journal.read("", sequence - 1)
        assert refused.value.reason == "JOURNAL_DAMAGED"
        assert await journal.read("", sequence)


async def test_events_of_an_older_gateway_are_read_without_a_checksum(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE events DROP COLUMN checksum")
    async with opened(path) as journal:
        assert len(await journal.read("", 0, 1000)) == 602


def change_a_letter(path: Path) -> int:
    """Changes one, as a disk would, in the text of a final; returns the event's sequence."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        sequence, content = connection.execute(
            "SELECT sequence, event FROM events WHERE kind = 'transcript' LIMIT 1 OFFSET 20"
        ).fetchone()
        event = gateway_pb2.JournalEvent.FromString(content)
        event.transcript.stable_text = f"X{event.transcript.stable_text[1:]}"
        connection.execute(
            "UPDATE events SET event = ? WHERE sequence = ?", (event.SerializeToString(), sequence)
        )
    return int(sequence)
