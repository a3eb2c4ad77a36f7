"""The queues in Redis: one stream a band, written exactly once with the cursor, and read from here.

    glossa:pairs:{accept,moderate,review,reject}   streams, one entry a pair (entry.py); no MAXLEN
    glossa:pairs:cursor:<journal_id>               last journal sequence that is in here
    glossa:pairs:counts, glossa:pairs:counts:<session_id>
                                                   hashes: band, "excluded", "excluded:<reason>"

Everything that one journal event changes is changed by one run of one script, so there is no moment
at which a crash could lose it or write it twice. Training reads the streams with consumer groups of
its own, and trims them by MINID below what it has acknowledged.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from services.collector import metrics
from services.collector.bands import BANDS, Band
from services.collector.entry import from_fields, to_fields
from services.collector.pair import ExcludedPair, ScoredPair, Verdict
from services.errors import Unavailable

log = structlog.get_logger()

_PREFIX = "glossa:pairs:"
EXCLUDED = "excluded"
_PAGE_ENTRIES = 200

# KEYS 1 cursor; for a pair also 2 counts, 3 counts of its session; unless excluded also 4 stream.
# ARGV 1 sequence, 2 the cursor that the writer last saw, 3 the counts to raise, between spaces;
#      from 4 on the entry's fields and values.
#
# "behind": Redis knows less than it once said. It was emptied, or lost its end in a power cut, or
# is another one; the writer has to start again from the cursor that is there. The same check keeps
# a pipeline whole: when one run in it fails, every later one is behind and writes nothing.
_WRITE_SCRIPT = """
local stored = tonumber(redis.call('GET', KEYS[1]) or '0')
if stored >= tonumber(ARGV[1]) then return {'duplicate', stored} end
if stored < tonumber(ARGV[2]) then return {'behind', stored} end
-- A script that fails half-way is not undone: a key of the wrong type has to fail before any write.
if KEYS[4] then redis.call('XLEN', KEYS[4]) end
for index = 2, math.min(#KEYS, 3) do
  for count in string.gmatch(ARGV[3], '%S+') do
    redis.call('HINCRBY', KEYS[index], count, 1)
  end
end
if KEYS[4] then redis.call('XADD', KEYS[4], '*', unpack(ARGV, 4)) end
redis.call('SET', KEYS[1], ARGV[1])
return {'written', tonumber(ARGV[1])}
"""
_WRITE_SHA = hashlib.sha1(_WRITE_SCRIPT.encode(), usedforsecurity=False).hexdigest()

Outcome = Literal["written", "duplicate", "behind"]


def stream_key(band: Band) -> str:
    return _PREFIX + band.value


def cursor_key(journal_id: str) -> str:
    return f"{_PREFIX}cursor:{journal_id}"


def counts_key(session_id: str = "") -> str:
    """The counts of one session, or of everything."""
    return f"{_PREFIX}counts:{session_id}" if session_id else f"{_PREFIX}counts"


@dataclass(frozen=True, slots=True)
class Write:
    """One journal event: its sequence, and the verdict when it brought a pair."""

    sequence: int
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What became of some writes: an outcome each, and the cursor that Redis has now."""

    outcomes: tuple[Outcome, ...]
    cursor: int

    @property
    def is_behind(self) -> bool:
        return "behind" in self.outcomes


@dataclass(frozen=True, slots=True)
class Counts:
    """Pairs ever collected, by band, and ever excluded, by reason."""

    bands: Mapping[Band, int]
    excluded: int
    exclusions: Mapping[str, int]


class Queues:
    """The queues of one Redis. Every method raises Unavailable QUEUE_UNAVAILABLE without it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @classmethod
    def open(cls, url: str, timeout_s: float = 2.0) -> Self:
        """Connects on first use. `timeout_s` is the silence after which a call is given up.

        Nothing is retried in here: what a caller does about a Redis that is away is its own matter.
        """
        return cls(
            Redis.from_url(
                url,
                decode_responses=True,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
            )
        )

    async def close(self) -> None:
        await self._redis.aclose()

    # Writing

    async def write(self, journal_id: str, cursor: int, writes: Sequence[Write]) -> Written:
        """Writes events, in order and each exactly once, in one round trip.

        May be called again with the same arguments after a failure, whatever Redis had done.

        Args:
            cursor: what Redis said last, or 0.
        """
        if not writes:
            return Written((), cursor)
        with _needs_redis():
            answers = await self._run_scripts(journal_id, cursor, writes)
            if any(isinstance(answer, NoScriptError) for answer in answers):  # it was restarted
                await self._redis.script_load(_WRITE_SCRIPT)
                answers = await self._run_scripts(journal_id, cursor, writes)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return Written(tuple(outcome for outcome, _ in answers), int(answers[-1][1]))

    async def _run_scripts(
        self, journal_id: str, cursor: int, writes: Sequence[Write]
    ) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for write in writes:
                keys, arguments = _script_input(journal_id, cursor, write)
                pipeline.execute_command("EVALSHA", _WRITE_SHA, len(keys), *keys, *arguments)
                cursor = max(cursor, write.sequence)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
            return answers

    async def cursor(self, journal_id: str) -> int:
        """The last sequence of this journal that is in here; 0 for a journal not known."""
        with _needs_redis():
            return int(await self._redis.get(cursor_key(journal_id)) or 0)

    async def rewind(self, journal_id: str, sequence: int) -> None:
        """Puts the cursor back, for a journal that lost its own end."""
        with _needs_redis():
            await self._redis.set(cursor_key(journal_id), sequence)

    # Reading

    async def counts(self, session_id: str = "") -> Counts:
        with _needs_redis():
            numbers = await self._redis.hgetall(counts_key(session_id))
        reasons = {
            name.removeprefix(f"{EXCLUDED}:"): int(number)
            for name, number in sorted(numbers.items())
            if name.startswith(f"{EXCLUDED}:")
        }
        return Counts(
            bands={band: int(numbers.get(band.value, 0)) for band in BANDS},
            excluded=int(numbers.get(EXCLUDED, 0)),
            exclusions=reasons,
        )

    async def lengths(self) -> dict[Band, int]:
        """Entries in each stream now."""
        with _needs_redis():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for band in BANDS:
                    pipeline.xlen(stream_key(band))
                lengths = await pipeline.execute()
        return dict(zip(BANDS, map(int, lengths), strict=True))

    def oldest_first(
        self, bands: Sequence[Band], session_id: str = ""
    ) -> AsyncGenerator[ScoredPair, None]:
        """Every pair that the bands hold at this moment; what comes later is not waited for."""
        return self._merged(bands, session_id, newest_first=False)

    def newest_first(
        self, bands: Sequence[Band], session_id: str = ""
    ) -> AsyncGenerator[ScoredPair, None]:
        """The same, the other way round: take as many as are wanted."""
        return self._merged(bands, session_id, newest_first=True)

    async def _merged(
        self, bands: Sequence[Band], session_id: str, *, newest_first: bool
    ) -> AsyncGenerator[ScoredPair, None]:
        """The entries of several streams in the order of their time; holds a page of each."""
        async with contextlib.AsyncExitStack() as stack:
            streams = []
            for band in dict.fromkeys(bands):
                entries = self._entries(band, session_id, newest_first=newest_first)
                streams.append(await stack.enter_async_context(contextlib.aclosing(entries)))
            heads = {index: await anext(entries, None) for index, entries in enumerate(streams)}
            while waiting := {index: head for index, head in heads.items() if head is not None}:
                choose = max if newest_first else min
                index = choose(waiting, key=lambda index: _age(waiting[index]))
                yield waiting[index][1]
                heads[index] = await anext(streams[index], None)

    async def _entries(
        self, band: Band, session_id: str, *, newest_first: bool
    ) -> AsyncGenerator[tuple[str, ScoredPair], None]:
        key = stream_key(band)
        with _needs_redis():
            last = await self._redis.xrevrange(key, count=1)
        low, high = "-", last[0][0] if last else "-"
        while last:
            with _needs_redis():
                page = await (
                    self._redis.xrevrange(key, high, low, count=_PAGE_ENTRIES)
                    if newest_first
                    else self._redis.xrange(key, low, high, count=_PAGE_ENTRIES)
                )
            for entry_id, fields in page:
                try:
                    scored = from_fields(fields)
                except ValueError:
                    metrics.MALFORMED.inc()
                    log.warning("malformed_entry", stream=key, entry_id=entry_id)
                    continue
                if session_id in ("", scored.pair.session_id):
                    yield entry_id, scored
            if len(page) < _PAGE_ENTRIES:
                return
            if newest_first:
                high = f"({page[-1][0]}"
            else:
                low = f"({page[-1][0]}"

    # Set-up

    async def risks(self) -> dict[str, str]:
        """The settings of this Redis with which it can lose pairs: name to what to do about it."""
        with _needs_redis():
            memory = await self._redis.info("memory")
            persistence = await self._redis.info("persistence")
        risks = {}
        policy = memory.get("maxmemory_policy", "")
        if policy != "noeviction":
            risks["maxmemory_policy"] = (
                f"maxmemory-policy is {policy}: a full Redis throws pairs away; set noeviction"
            )
        if not persistence.get("aof_enabled"):
            risks["appendonly"] = (
                "appendonly is off: a restart loses pairs (they are collected again only while the "
                "journal has them); set appendonly yes"
            )
        return risks


def _age(head: tuple[str, ScoredPair]) -> tuple[int, int, int]:
    """Orders entries of different streams: Redis's clock, then the journal, then the entry."""
    entry_id, scored = head
    time_ms, number = entry_id.split("-")
    return int(time_ms), scored.pair.sequence, int(number)


def _script_input(journal_id: str, cursor: int, write: Write) -> tuple[list[str], list[str | int]]:
    keys = [cursor_key(journal_id)]
    arguments: list[str | int] = [write.sequence, cursor, ""]
    if write.verdict is None:
        return keys, arguments
    keys += [counts_key(), counts_key(write.verdict.pair.session_id)]
    if isinstance(write.verdict, ExcludedPair):
        arguments[2] = f"{EXCLUDED} {EXCLUDED}:{write.verdict.reason}"
        return keys, arguments
    keys.append(stream_key(write.verdict.band))
    arguments[2] = write.verdict.band.value
    for name, value in to_fields(write.verdict).items():
        arguments += [name, value]
    return keys, arguments


@contextlib.contextmanager
def _needs_redis() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable(
            "QUEUE_UNAVAILABLE",
            f"Redis does not do its work: {type(error).__name__}: {str(error)[:200]}",
        ) from error
