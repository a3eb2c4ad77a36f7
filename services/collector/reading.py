"""Reads the streams back, several together in the order of time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import structlog
from redis.asyncio import Redis

from services.collector import metrics
from services.collector.entry import from_fields, reviewed_from_fields
from services.collector.pair import Decision, ReviewedPair, ScoredPair
from services.collector.pair_keys import CORRECTED, stream_key
from services.collector.redis_client import needs_redis
from services.collector.review_keys import done_key

log = structlog.get_logger()

_PAGE_ENTRIES = 200

CollectedPair = ScoredPair | ReviewedPair
_Entry = tuple[str, CollectedPair]


async def read_streams(
    redis: Redis, streams: Sequence[str], session_id: str, *, newest_first: bool
) -> AsyncGenerator[CollectedPair, None]:
    """What the streams hold at this moment, as far as it still stands; holds a page of each.

    A decision that was replaced or withdrawn is left out, and so is a pair of a band whose standing
    decision is that it is rejected.

    Args:
        streams: bands, or CORRECTED.
        session_id: of the one session wanted, or empty for all.
    """
    async with contextlib.AsyncExitStack() as stack:
        readers = []
        for name in dict.fromkeys(streams):
            reader = _read_stream(redis, name, session_id, newest_first=newest_first)
            readers.append(await stack.enter_async_context(contextlib.aclosing(reader)))
        heads = {index: await anext(reader, None) for index, reader in enumerate(readers)}
        while waiting := {index: head for index, head in heads.items() if head is not None}:
            choose = max if newest_first else min
            index = choose(waiting, key=lambda index: _age(waiting[index]))
            yield waiting[index][1]
            heads[index] = await anext(readers[index], None)


async def _read_stream(
    redis: Redis, name: str, session_id: str, *, newest_first: bool
) -> AsyncGenerator[_Entry, None]:
    key = stream_key(name)
    with needs_redis():
        last = await redis.xrevrange(key, count=1)
    low, high = "-", last[0][0] if last else "-"
    while last:
        with needs_redis():
            page = await (
                redis.xrevrange(key, high, low, count=_PAGE_ENTRIES)
                if newest_first
                else redis.xrange(key, low, high, count=_PAGE_ENTRIES)
            )
        entries = [
            (entry_id, pair)
            for entry_id, pair in _parsed(name, page)
            if session_id in ("", pair.pair.session_id)
        ]
        for entry in await _standing(redis, entries):
            yield entry
        if len(page) < _PAGE_ENTRIES:
            return
        if newest_first:
            high = f"({page[-1][0]}"
        else:
            low = f"({page[-1][0]}"


def _parsed(name: str, page: Sequence[Any]) -> list[_Entry]:
    """The entries that can be read; others are counted and passed over."""
    entries: list[_Entry] = []
    for entry_id, fields in page:
        try:
            pair = reviewed_from_fields(fields) if name == CORRECTED else from_fields(fields)
        except ValueError:
            metrics.MALFORMED.inc()
            log.warning("malformed_entry", stream=stream_key(name), entry_id=entry_id)
        else:
            entries.append((entry_id, pair))
    return entries


async def _standing(redis: Redis, entries: Sequence[_Entry]) -> list[_Entry]:
    """Those of a page that the standing decisions leave."""
    if not entries:
        return []
    with needs_redis():
        async with redis.pipeline(transaction=False) as pipeline:
            for _, pair in entries:
                pipeline.hget(done_key(pair.pair.session_id), pair.pair.pair_id)
            decisions = await pipeline.execute()
    return [
        entry
        for entry, decision in zip(entries, decisions, strict=True)
        if _stands(entry[1], decision)
    ]


def _stands(pair: CollectedPair, decision: str | None) -> bool:
    """Whether a pair is to be had, with what a person decided last about it, or None."""
    if isinstance(pair, ReviewedPair):
        return decision == f"{pair.revision} {pair.decision.value}"
    return decision is None or decision.split(" ")[1] != Decision.REJECTED.value


def _age(entry: _Entry) -> tuple[int, int, int]:
    """Orders entries of different streams: Redis's clock, then the journal, then the entry."""
    entry_id, pair = entry
    time_ms, number = entry_id.split("-")
    sequence = pair.sequence if isinstance(pair, ReviewedPair) else pair.pair.sequence
    return int(time_ms), sequence, int(number)
