"""What was opened with a token ends with the token, and nothing else does."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services import token_watch
from services.errors import Unauthenticated
from services.token_file import Role, TokenEntry, hash_of, write_tokens
from services.token_watch import TokenWatch
from services.tokens import TokenBook

DEADLINE_S = 20.0
TODAY = datetime.date(2026, 11, 22)


class Day:
    today = TODAY
    asked_count = 0

    def __call__(self) -> datetime.date:
        self.asked_count += 1
        return self.today


def entry(name: str, **more: object) -> TokenEntry:
    return TokenEntry(name, Role.VIEW, hash_of(f"the-token-of-{name}"), **more)  # type: ignore[arg-type]


def damage(path: Path) -> None:
    path.write_text("[hall")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(token_watch, "_INTERVAL_S", 0.02)
    return tmp_path / "tokens.toml"


class Streams:
    """One open stream for each entry of a book."""

    def __init__(self, book: TokenBook, *entries: TokenEntry) -> None:
        self._watch = TokenWatch(book)
        self._tasks = {each.name: asyncio.create_task(self._stay(each)) for each in entries}

    async def _stay(self, holder: TokenEntry) -> None:
        async with self._watch.while_good(holder):
            await asyncio.Event().wait()

    async def reason(self, name: str) -> str:
        async with asyncio.timeout(DEADLINE_S):
            with pytest.raises(Unauthenticated) as ended:
                await self._tasks.pop(name)
        assert name in ended.value.message
        return ended.value.reason

    async def close(self) -> None:
        """Those that are left have to be open."""
        for task in self._tasks.values():
            assert not task.done()
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        assert self._watch._open == {}


async def test_who_is_revoked_or_may_less_is_cut_and_nobody_else(path: Path) -> None:
    guest = entry("guest", sessions=("sunday-*",))
    kept = entry("hall"), entry("renewed", expires=TODAY), entry("scoped", sessions=("a", "b"))
    before = (guest, entry("narrowed"), *kept, entry("lost"))
    write_tokens(path, before)
    streams = Streams(TokenBook(path, today=Day()), *before)
    later = TODAY + datetime.timedelta(300)
    narrowed = entry("narrowed", sessions=("sunday-*",))
    write_tokens(path, (entry("hall"), entry("renewed", expires=later), entry("scoped"), narrowed))
    for name in ("guest", "narrowed", "lost"):
        assert await streams.reason(name) == "TOKEN_UNKNOWN"
    await streams.close()


async def test_who_expires_is_cut_when_the_last_day_is_over(path: Path) -> None:
    day, entries = Day(), (entry("guest", expires=TODAY), entry("hall"))
    write_tokens(path, entries)
    streams = Streams(TokenBook(path, today=day), *entries)
    async with asyncio.timeout(DEADLINE_S):
        while day.asked_count < 3 * len(entries):  # once for each at a look, which finds nothing
            await asyncio.sleep(0.02)
    day.today += datetime.timedelta(1)
    assert await streams.reason("guest") == "TOKEN_EXPIRED"
    await streams.close()


async def test_a_file_that_is_damaged_cuts_nobody(path: Path) -> None:
    write_tokens(path, [entry("hall"), entry("guest")])
    clock = itertools.count()  # each look at it is a second later
    book = TokenBook(path, today=Day(), now_s=lambda: float(next(clock)))
    streams = Streams(book, entry("hall"), entry("guest"))
    damage(path)
    with capture_logs() as logs:
        async with asyncio.timeout(DEADLINE_S):
            while not logs:
                await asyncio.sleep(0.02)
    assert [line["event"] for line in logs] == ["tokens_file_refused"]
    write_tokens(path, [entry("hall")])
    assert await streams.reason("guest") == "TOKEN_UNKNOWN"
    await streams.close()


async def test_a_time_limit_of_what_is_within_is_its_own(path: Path) -> None:
    write_tokens(path, [entry("hall")])
    watch = TokenWatch(TokenBook(path))
    with pytest.raises(TimeoutError):
        async with watch.while_good(entry("hall")), asyncio.timeout(0.01):
            await asyncio.Event().wait()
    async with watch.while_good(entry("hall")):
        pass
