"""The queues in Redis: written exactly once with the cursor, and read from here.

pair_keys.py and review_keys.py say what is where, write_script.py how it gets there. Training reads
the streams with consumer groups of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from services.collector.bands import BANDS, Band
from services.collector.erasing import Eraser
from services.collector.pair import ForgottenSession
from services.collector.pair_keys import (
    CORRECTED,
    EXCLUDED,
    STREAMS,
    counts_key,
    cursor_key,
    stream_key,
)
from services.collector.reading import CollectedPair, read_streams
from services.collector.redis_client import needs_redis, open_redis
from services.collector.redis_risks import risks
from services.collector.review_keys import OPEN_KEY
from services.collector.trimming import trim
from services.collector.write_script import SCRIPTS, Write, script_run

Outcome = Literal["written", "duplicate", "behind"]

_SCANNED_AT_ONCE = 1000


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
    """Pairs ever collected, by band, and ever excluded, by reason; those with a decision now."""

    bands: Mapping[Band, int]
    corrected: int
    excluded: int
    exclusions: Mapping[str, int]


class Queues:
    """The queues of one Redis. Every method raises Unavailable QUEUE_UNAVAILABLE without it."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._eraser = Eraser(redis)

    @classmethod
    def open(cls, url: str, timeout_s: float = 2.0) -> Self:
        """Connects on first use. `timeout_s` is the silence after which a call is given up."""
        return cls(open_redis(url, timeout_s))

    async def close(self) -> None:
        await self._redis.aclose()

    # Writing

    async def write(self, journal_id: str, cursor: int, writes: Sequence[Write]) -> Written:
        """Writes events, in order and each exactly once.

        One round trip, but for a forgotten session: that is one for some hundred of its pairs. May
        be called again with the same arguments after a failure, whatever Redis had done.

        Args:
            cursor: what Redis said last, or 0.
        """
        answers: list[Any] = []
        for forgets, group in itertools.groupby(writes, key=_forgets):
            run = self._run_until_forgotten if forgets else self._run
            batch = list(group)
            answers += await run(journal_id, cursor, batch)
            cursor = max(cursor, batch[-1].sequence)
        outcomes = tuple(outcome for outcome, _ in answers)
        return Written(outcomes, int(answers[-1][1]) if answers else cursor)

    async def _run_until_forgotten(
        self, journal_id: str, cursor: int, writes: Sequence[Write]
    ) -> list[Any]:
        answers = []
        for write in writes:
            while (answer := (await self._run(journal_id, cursor, [write]))[0])[0] == "forgetting":
                pass
            answers.append(answer)
            cursor = max(cursor, write.sequence)
        return answers

    async def _run(self, journal_id: str, cursor: int, writes: Sequence[Write]) -> list[Any]:
        """What the script of each write answers; raises for the first that failed."""
        with needs_redis():
            answers = await self._pipeline(journal_id, cursor, writes)
            if any(isinstance(answer, NoScriptError) for answer in answers):  # it was restarted
                for script in SCRIPTS:
                    await self._redis.script_load(script.text)
                answers = await self._pipeline(journal_id, cursor, writes)
            for answer in answers:
                if isinstance(answer, Exception):
                    raise answer
        return answers

    async def _pipeline(self, journal_id: str, cursor: int, writes: Sequence[Write]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for write in writes:
                run = script_run(journal_id, cursor, write)
                pipeline.execute_command(
                    "EVALSHA", run.script.sha, len(run.keys), *run.keys, *run.arguments
                )
                cursor = max(cursor, write.sequence)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
            return answers

    async def cursor(self, journal_id: str) -> int:
        """The last sequence of this journal that is in here; 0 for a journal not known."""
        with needs_redis():
            return int(await self._redis.get(cursor_key(journal_id)) or 0)

    async def rewind(self, journal_id: str, sequence: int) -> None:
        """Puts the cursor back, for a journal that lost its own end."""
        with needs_redis():
            await self._redis.set(cursor_key(journal_id), sequence)

    # Reading

    async def counts(self, session_id: str = "") -> Counts:
        with needs_redis():
            numbers = await self._redis.hgetall(counts_key(session_id))
        reasons = {
            name.removeprefix(f"{EXCLUDED}:"): int(number)
            for name, number in sorted(numbers.items())
            if name.startswith(f"{EXCLUDED}:")
        }
        return Counts(
            bands={band: int(numbers.get(band.value, 0)) for band in BANDS},
            corrected=int(numbers.get(CORRECTED, 0)),
            excluded=int(numbers.get(EXCLUDED, 0)),
            exclusions=reasons,
        )

    async def lengths(self) -> dict[str, int]:
        """Entries in each stream now."""
        with needs_redis():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for name in STREAMS:
                    pipeline.xlen(stream_key(name))
                lengths = await pipeline.execute()
        return dict(zip(STREAMS, map(int, lengths), strict=True))

    async def open_review_count(self, session_id: str = "") -> int:
        """Pairs of one session, or of all, that wait for a person."""
        with needs_redis():
            if not session_id:
                return int(await self._redis.zcard(OPEN_KEY))
            scanned = self._redis.zscan_iter(OPEN_KEY, count=_SCANNED_AT_ONCE)
            # A set, because a scan may tell of a pair twice.
            waiting = {pair_id async for pair_id, _ in scanned}
        return sum(pair_id.startswith(f"{session_id}/") for pair_id in waiting)

    def oldest_first(
        self, streams: Sequence[str], session_id: str = ""
    ) -> AsyncGenerator[CollectedPair, None]:
        """Every pair that the streams hold at this moment; what comes later is not waited for."""
        return read_streams(self._redis, streams, session_id, newest_first=False)

    def newest_first(
        self, streams: Sequence[str], session_id: str = ""
    ) -> AsyncGenerator[CollectedPair, None]:
        """The same, the other way round: take as many as are wanted."""
        return read_streams(self._redis, streams, session_id, newest_first=True)

    # Upkeep

    async def risks(self) -> dict[str, str]:
        """The settings of this Redis that put pairs at risk: name to what to do about it."""
        return await risks(self._redis)

    async def trim(self, keep_days: float) -> dict[str, int]:
        """Takes off what every reader has done with; how many entries went from each stream."""
        return await trim(self._redis, keep_days)

    async def erase_step(self) -> None:
        """Goes on getting what was forgotten off the disk; to be called now and then."""
        await self._eraser.step()


def _forgets(write: Write) -> bool:
    return isinstance(write.change, ForgottenSession)
