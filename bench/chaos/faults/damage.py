"""Bytes of the journal change while the gateway is stopped: it must say so, and serve nothing."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path
from random import Random

from bench.chaos.verdict import Verdict
from bench.filled_journal import fill
from bench.stack import free_plan
from cli.stack import REPOSITORY

_PAIRS = 500
_PAGE_BYTES = 4096
_START_TIMEOUT_S = 60.0
_REASON = "JOURNAL_DAMAGED"


async def flipped(chance: Random) -> Verdict:
    """A page of rubbish, then a few letters of a caption; each in a journal of its own."""
    failures: list[str] = []
    seen: list[str] = []
    for name, damage in (("a page", _spoil_page), ("letters of a caption", _spoil_letters)):
        with tempfile.TemporaryDirectory(prefix="glossa-chaos-") as folder:
            plan = free_plan(Path(folder))
            state_dir = plan.state_dir / "gateway"
            state_dir.mkdir()
            await fill(state_dir, _PAIRS)
            await asyncio.to_thread(damage, state_dir / "journal.db", chance)
            try:
                done = await asyncio.to_thread(
                    _start, plan.command("gateway"), plan.child_environment()
                )
            except subprocess.TimeoutExpired:
                failures.append(f"the gateway serves a journal of which {name} changed")
                continue
        if done.returncode == 0 or _REASON not in done.stdout:
            failures.append(f"the gateway does not say {_REASON} after {name} changed")
        else:
            seen.append(f"after {name} changed the gateway ends with {_REASON} and the way back")
    return Verdict("journal-damage", times=2, failures=tuple(failures), seen=tuple(seen))


def _start(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_START_TIMEOUT_S,
        check=False,
    )


def _spoil_page(path: Path, chance: Random) -> None:
    page_count = path.stat().st_size // _PAGE_BYTES
    with path.open("r+b") as file:
        file.seek(chance.randrange(1, page_count) * _PAGE_BYTES)
        file.write(chance.randbytes(_PAGE_BYTES))


def _spoil_letters(path: Path, chance: Random) -> None:
    """The words of a caption are somewhere in the file: found there, and changed."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT event FROM events WHERE kind = 'transcript'").fetchall()
    (event,) = chance.choice(rows)
    content = path.read_bytes()
    offset = content.find(event)
    middle = offset + len(event) // 3
    with path.open("r+b") as file:
        file.seek(middle)
        file.write(bytes(byte ^ 1 for byte in content[middle : middle + 3]))
