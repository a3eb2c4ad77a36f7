"""Damage of any kind in a journal's file: JOURNAL_DAMAGED, or exactly what was written."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bench.filled_journal import fill
from glossa.gateway.v1 import gateway_pb2
from services.errors import Unavailable
from services.gateway.journal import Journal

_FILES = 150
_HEADER_BYTES = 4096  # the first page: SQLite's header and the names of the tables


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A journal with the events of forty pairs, closed."""
    await fill(tmp_path, 40)
    with closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tmp_path / "journal.db"


async def everything(path: Path) -> list[gateway_pb2.JournalEvent]:
    """All that the journal says. Raises Unavailable JOURNAL_DAMAGED."""
    journal = Journal(path, lambda events: None)
    try:
        sessions = await journal.read_sessions(100)
        await journal.read_open_sessions()
        for row in sessions:
            await journal.read_gaps(row.session_id)
            await journal.read_session(row.session_id)
        await journal.read_owed("score", 64)
        await journal.read_leaving()
        await journal.read_screens()
        return await journal.read("", 0, 1000)
    finally:
        journal.close()


def contents(path: Path) -> bytes:
    return path.read_bytes()


def stored(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def damaged(whole: bytes, seed: int) -> bytes:
    """The file with one to eight places of up to 300 bytes changed."""
    chance = random.Random(seed)
    content = bytearray(whole)
    for _ in range(chance.choice((1, 1, 2, 8))):
        at = chance.randrange(_HEADER_BYTES if chance.random() < 0.3 else len(content))
        wrong = chance.randbytes(min(chance.choice((1, 1, 2, 16, 300)), len(content) - at))
        content[at : at + len(wrong)] = wrong
    return bytes(content)


async def test_a_damaged_file_is_told_or_says_nothing_that_was_not_written(path: Path) -> None:
    whole = contents(path)
    written = {event.SerializeToString() for event in await everything(path)}
    assert len(written) == 122
    outcomes = {"told": 0, "read": 0}
    for seed in range(_FILES):
        other = stored(path.with_name(f"{seed}.db"), damaged(whole, seed))
        try:
            said = await everything(other)
        except Unavailable as error:
            outcomes["told"] += error.reason == "JOURNAL_DAMAGED"
        else:
            assert {event.SerializeToString() for event in said} <= written, seed
            outcomes["read"] += 1
    assert all(outcomes.values()), outcomes
    assert sum(outcomes.values()) == _FILES, outcomes


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET event = x'0aff' WHERE sequence = 9",
        "UPDATE events SET event = x'0aff', checksum = NULL WHERE sequence = 9",
        "UPDATE events SET event = 'text', checksum = NULL WHERE sequence = 9",
        "UPDATE events SET event = 7 WHERE sequence = 9",
        "UPDATE events SET checksum = 'text' WHERE sequence = 9",
        "UPDATE sessions SET config = x'0aff'",
        "UPDATE sessions SET config = 'text'",
        "UPDATE sessions SET session_id = CAST(x'ff' AS TEXT)",
    ],
)
async def test_a_row_that_holds_something_else_is_told(path: Path, change: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(change).rowcount == 1
    with pytest.raises(Unavailable) as refused:
        await everything(path)
    assert refused.value.reason == "JOURNAL_DAMAGED"


@pytest.mark.parametrize("offset", [18, 19, 44])
async def test_a_header_of_a_format_that_there_is_none_of_is_told(path: Path, offset: int) -> None:
    whole = contents(path)
    stored(path, whole[:offset] + b"\xee" * 4 + whole[offset + 4 :])
    with pytest.raises(Unavailable) as refused:
        await everything(path)
    assert refused.value.reason == "JOURNAL_DAMAGED"
