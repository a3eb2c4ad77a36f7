"""What a trainer has not stored yet of the collected pairs: a consumer group of its own in Redis.

docs/protocol.md, Redis, has the rules. Nothing in here waits for pairs to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from services.collector.entry import from_fields, reviewed_from_fields
from services.collector.pair_keys import CORRECTED, stream_key
from services.collector.reading import CollectedPair
from services.collector.redis_client import needs_redis

_PAGE_ENTRIES = 500
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that was delivered and not acknowledged.

    Args:
        pair: None when it cannot be read, or is gone because its session was forgotten.
        is_damaged: it is there and cannot be read.
    """

    stream: str
    entry_id: str
    pair: CollectedPair | None
    is_damaged: bool = False


class PairStreams:
    """The streams as one trainer reads them. Raises Unavailable QUEUE_UNAVAILABLE without Redis.

    Args:
        trainer: names the consumer group; it begins with the oldest pair that there is.
        consumer: who reads for the trainer, under the same name after a crash.
        streams: bands, or CORRECTED. What a person decided comes after the pair that it is about,
            so CORRECTED is to be the last.
    """

    def __init__(self, url: str, trainer: str, consumer: str, streams: Sequence[str]) -> None:
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._group = trainer
        self._consumer = consumer
        self._streams = streams

    def close(self) -> None:
        self._redis.close()

    def deliver(self, reclaim_idle_s: float) -> list[Entry]:
        """All that this trainer has not acknowledged: its own of before, reclaimed, and new ones.

        Args:
            reclaim_idle_s: what other consumers of the group have had for so long is taken over.
        """
        with needs_redis():
            return [
                _entry(name, entry_id, fields)
                for name in self._streams
                for entry_id, fields in self._unacknowledged(stream_key(name), reclaim_idle_s)
            ]

    def acknowledge(self, entries: Iterable[Entry]) -> None:
        """To be called once what is made of them is safe on the disk."""
        by_stream: dict[str, list[str]] = {}
        for entry in entries:
            by_stream.setdefault(entry.stream, []).append(entry.entry_id)
        with needs_redis():
            for name, ids in by_stream.items():
                for first in range(0, len(ids), _PAGE_ENTRIES):
                    page = ids[first : first + _PAGE_ENTRIES]
                    self._redis.xack(stream_key(name), self._group, *page)

    def _unacknowledged(
        self, key: str, reclaim_idle_s: float
    ) -> Iterable[tuple[str, dict[str, str] | None]]:
        """Each entry once, by its id."""
        try:
            self._redis.xgroup_create(key, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):  # it is there already
                raise
        found: dict[str, dict[str, str] | None] = {}
        for page in chain(self._own(key), self._reclaimed(key, reclaim_idle_s), self._new(key)):
            found.update(page)
        return found.items()

    def _own(self, key: str) -> Iterator[list[Any]]:
        after = "0"
        while page := self._read(key, after):
            yield page
            after = page[-1][0]

    def _reclaimed(self, key: str, idle_s: float) -> Iterator[list[Any]]:
        cursor = "0-0"
        while True:
            cursor, page, *_ = self._redis.xautoclaim(
                key,
                self._group,
                self._consumer,
                min_idle_time=round(idle_s * 1000),
                start_id=cursor,
                count=_PAGE_ENTRIES,
            )
            yield page
            if cursor == "0-0":
                return

    def _new(self, key: str) -> Iterator[list[Any]]:
        while page := self._read(key, ">"):
            yield page

    def _read(self, key: str, after: str) -> list[Any]:
        answer = self._redis.xreadgroup(
            self._group, self._consumer, {key: after}, count=_PAGE_ENTRIES
        )
        return list(answer[0][1]) if answer else []


def _entry(stream: str, entry_id: str, fields: dict[str, str] | None) -> Entry:
    if not fields:
        return Entry(stream, entry_id, None)
    read = reviewed_from_fields if stream == CORRECTED else from_fields
    try:
        return Entry(stream, entry_id, read(fields))
    except ValueError:
        return Entry(stream, entry_id, None, is_damaged=True)
