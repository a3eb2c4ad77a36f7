"""Finds a journal that its disk has damaged, before anything of it is served.

SQLite sees a page whose structure is broken, and not a byte that changed inside of a row. So each
event has a checksum beside it, which is looked at whenever the event is read. Events that an older
gateway wrote have none.
"""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from services.errors import Unavailable

# Looked at before the gateway serves, some 0.2 s of work; older ones whenever they are read.
_EVENTS_CHECKED_AT_START = 20_000
_NAMED_AT_MOST = 5
# SQLite 3.40 (Debian 12) says so of every row in a table WITHOUT ROWID whose columns are not in the
# order of its key: `owed` after a crash. No column that we ask to be NOT NULL is ever written so.
_FALSE_FINDING = "NULL value in "
_FINDINGS_LIMIT = 1_000_000
# Complaints without a code of their own: of Python, and of a version that there is none of.
_DAMAGE_TEXTS = ("Could not decode to UTF-8", "unsupported file format")
_DAMAGE_CODES = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def checksum(event: bytes) -> int:
    """CRC-32 of a serialised event."""
    return zlib.crc32(event)


def is_sound(event: object, expected: int | None) -> bool:
    """Whether the event is as it was written; None: it was written without a checksum.

    A page that changed may say that a row holds a number or a text.
    """
    return isinstance(event, bytes) and (expected is None or zlib.crc32(event) == expected)


def check(connection: sqlite3.Connection, path: Path) -> None:
    """Looks at the structure of the whole file and at the newest events.

    Raises:
        Unavailable: JOURNAL_DAMAGED.
    """
    with telling_damage(path):
        findings = connection.execute(f"PRAGMA quick_check({_FINDINGS_LIMIT})")
        for (finding,) in findings:
            if finding != "ok" and not finding.startswith(_FALSE_FINDING):
                raise damaged(path, finding)
        rows = connection.execute(
            "SELECT sequence, event, checksum FROM events ORDER BY sequence DESC LIMIT ?",
            (_EVENTS_CHECKED_AT_START,),
        )
        wrong = [sequence for sequence, *row in rows if not is_sound(*row)]
        if wrong:
            raise damaged_events(path, wrong)


@contextlib.contextmanager
def telling_damage(path: Path) -> Iterator[None]:
    """What SQLite finds damaged inside is raised as Unavailable JOURNAL_DAMAGED."""
    try:
        yield
    except UnicodeDecodeError as error:  # of SQLite's own message, which quotes what it found
        raise damaged(path, "its text is no UTF-8") from error
    except sqlite3.DatabaseError as error:
        if str(error).startswith(_DAMAGE_TEXTS):
            raise damaged(path, str(error).partition("\n")[0]) from error
        # The low byte is the primary code; the others say more exactly where.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGE_CODES:
            raise damaged(path, str(error)) from error
        raise


def damaged_events(path: Path, sequences: list[int]) -> Unavailable:
    """The error of a journal with events that are not as they were written."""
    named = ", ".join(str(sequence) for sequence in sorted(sequences)[:_NAMED_AT_MOST])
    return damaged(path, f"{len(sequences)} events are not as they were written: {named}")


def damaged(path: Path, finding: str) -> Unavailable:
    """The error of a damaged journal, with the way back."""
    return Unavailable(
        "JOURNAL_DAMAGED",
        f"the journal {path} is damaged and is not served ({finding}): check the disk, stop the "
        "gateway, move the journal with its -wal and -shm aside and put your newest backup in its "
        "place, or none, to begin a new one; docs/operations.md, A damaged journal, says how to "
        "save what can be read",
        path=str(path),
    )
