"""Drains a prepared journal through a real gateway, collector and Redis, and compares both ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from rich.console import Console
from rich.table import Table

from bench.filled_journal import fill, pair_ids
from bench.stack import free_plan
from cli.child import Child, Health
from cli.stack import StackPlan
from services.collector.bands import BANDS
from services.collector.pair_keys import EXCLUDED, counts_key, cursor_key, stream_key

_POLL_S = 0.02
_START_TIMEOUT_S = 30.0
# Far more than a drain takes; it ends a benchmark whose collector is stuck.
_DRAIN_TIMEOUT_S = 600.0
_READ_ENTRIES = 1000
_FAULT_AT = 0.2  # share of the pairs that are there when a fault begins


async def measure(pair_count: int, faults: Sequence[str], outage_s: float) -> dict[str, Any]:
    """Runs once without a fault and once with each; prints a table to stderr.

    Returns:
        pairs_per_s, lost and doubled of the run without a fault, and under "faults" for each:
        outage_s, backlog_pairs, drain_s, lost, doubled.
    """
    with tempfile.TemporaryDirectory(prefix="glossa-bench-") as name:
        folder = Path(name)
        _say(f"filling a journal with {pair_count} pairs ...")
        journal = await fill(folder / "journal", pair_count)
        runs = [_Run(folder, journal, pair_count, "", 0.0)]
        runs += [_Run(folder, journal, pair_count, fault, outage_s) for fault in faults]
        found = [await run.measure() for run in runs]
    _print(found)
    plain, *faulty = found
    return {
        "pairs": pair_count,
        **{name: plain[name] for name in ("pairs_per_s", "lost", "doubled")},
        "faults": faulty,
    }


class _Run:
    """One drain from the journal's beginning into an empty Redis."""

    def __init__(
        self, folder: Path, journal: tuple[str, int], pair_count: int, fault: str, outage_s: float
    ) -> None:
        self._journal_folder = folder / "journal"
        self._journal_id, self._last_sequence = journal
        self._pair_count = pair_count
        self._fault = fault
        self._outage_s = outage_s
        self._plan = free_plan(folder / (fault or "plain"))
        self._client: redis.Redis[str]

    async def measure(self) -> dict[str, Any]:
        _say(f"collecting{f' with Redis {self._fault}' if self._fault else ''} ...")
        (self._plan.state_dir / "logs").mkdir(parents=True)
        shutil.copytree(self._journal_folder, self._plan.state_dir / "gateway")
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(self._running("redis"))
            await stack.enter_async_context(self._running("gateway"))
            self._client = _client(self._plan)
            stack.push_async_callback(self._client.aclose)
            started = await self._client.info("server")
            await stack.enter_async_context(self._running("collector"))
            figures = await self._drain(server, int(started["process_id"]), stack)
            lost, doubled = await self._compare()
        return {**figures, "lost": lost, "doubled": doubled}

    async def _drain(
        self, server: Child, redis_pid: int, stack: contextlib.AsyncExitStack
    ) -> dict[str, Any]:
        first, started_at = await self._reached(1)
        if not self._fault:
            await self._reached(self._last_sequence)
            rest = (self._last_sequence - first) / self._last_sequence * self._pair_count
            return {"pairs_per_s": round(rest / (time.monotonic() - started_at), 1)}
        await self._reached(int(self._last_sequence * _FAULT_AT))
        match self._fault:
            case "killed":
                server.kill()
                await server.ended()
                await asyncio.sleep(self._outage_s)
                await stack.enter_async_context(self._running("redis"))
            case "frozen":
                os.kill(redis_pid, signal.SIGSTOP)
                await asyncio.sleep(self._outage_s)
                os.kill(redis_pid, signal.SIGCONT)
            case "read-only":
                await self._client.replicaof("127.0.0.1", 1)  # a replica without its master
                await asyncio.sleep(self._outage_s)
                await self._client.replicaof("NO", "ONE")
        ended_at = time.monotonic()
        there, _ = await self._reached(1)
        await self._reached(self._last_sequence)
        return {
            "fault": self._fault,
            "outage_s": self._outage_s,
            "backlog_pairs": round((1 - there / self._last_sequence) * self._pair_count),
            "drain_s": round(time.monotonic() - ended_at, 2),
        }

    async def _reached(self, sequence: int) -> tuple[int, float]:
        """Waits for the collector's cursor; what it is then, and when."""
        async with asyncio.timeout(_DRAIN_TIMEOUT_S):
            while True:
                with contextlib.suppress(RedisError, OSError):
                    cursor = int(await self._client.get(cursor_key(self._journal_id)) or 0)
                    if cursor >= sequence:
                        return cursor, time.monotonic()
                await asyncio.sleep(_POLL_S)

    async def _compare(self) -> tuple[int, int]:
        """How many pairs are missing in Redis, and how many are there more than once."""
        found: Counter[str] = Counter()
        for band in BANDS:
            low = "-"
            while page := await self._client.xrange(stream_key(band), low, count=_READ_ENTRIES):
                found.update(fields["pair_id"] for _, fields in page)
                low = f"({page[-1][0]}"
        missing = pair_ids(self._pair_count) - found.keys()
        # What is excluded has no entry and is only counted.
        excluded = int(await self._client.hget(counts_key(), EXCLUDED) or 0)
        return len(missing) - excluded, sum(number - 1 for number in found.values())

    @contextlib.asynccontextmanager
    async def _running(self, name: str) -> AsyncIterator[Child]:
        """A process of the stack, ready from entry to exit."""
        plan = self._plan
        log_path = plan.state_dir / "logs" / f"{name}.log"
        child = await Child.start(
            name, plan.command(name), plan.address(name), plan.child_environment(name), log_path
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while True:
                    if await child.health() is Health.SERVING:
                        break
                    await asyncio.sleep(_POLL_S)
            yield child
        finally:
            child.kill()
            await child.ended()
            await child.close()


def _client(plan: StackPlan) -> redis.Redis[str]:
    """Looks at Redis as its operator; one that is away is asked again by the caller."""
    password_file = plan.state_dir / "redis" / "operator.password"
    return redis.Redis.from_url(
        f"redis://{plan.address('redis')}/0",
        username="operator",
        password=password_file.read_text(encoding="utf-8"),
        decode_responses=True,
        socket_timeout=5.0,
        retry=Retry(NoBackoff(), 0),
    )


def _print(found: Sequence[dict[str, Any]]) -> None:
    plain, *faulty = found
    console = Console(stderr=True)
    table = Table(title="Into Redis", title_justify="left")
    for heading in ("Redis", "pairs/s", "backlog", "drained in", "lost", "doubled"):
        table.add_column(heading, justify="left" if heading == "Redis" else "right")
    table.add_row(
        "there", f"{plain['pairs_per_s']:.0f}", "", "", str(plain["lost"]), str(plain["doubled"])
    )
    for figures in faulty:
        table.add_row(
            f"{figures['fault']} for {figures['outage_s']:g} s",
            "",
            str(figures["backlog_pairs"]),
            f"{figures['drain_s']:.1f} s",
            str(figures["lost"]),
            str(figures["doubled"]),
        )
    console.print(table)


def _say(line: str) -> None:
    print(f"glossa: {line}", file=sys.stderr)
