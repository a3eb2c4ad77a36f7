"""The journals of older and of newer gateways."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from services.errors import WrongState
from services.gateway.journal import Journal
from services.gateway.schema import prepare


def test_an_older_journal_gets_what_it_has_not(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as older:
        prepare(older)
        older.execute("ALTER TABLE events DROP COLUMN checksum")
        older.execute("INSERT INTO events (session_id, kind, event) VALUES ('s', 'screens', x'')")
        older.execute("PRAGMA user_version = 0")
    with sqlite3.connect(tmp_path / "journal.db") as newer:
        prepare(newer)
        assert newer.execute("SELECT session_id, checksum FROM events").fetchall() == [("s", None)]


async def test_the_journal_of_a_newer_gateway_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "journal.db") as newer:
        prepare(newer)
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(WrongState, match="a newer Glossa wrote this journal"):
        Journal(tmp_path / "journal.db", lambda _event: None)
