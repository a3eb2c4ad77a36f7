"""Pairs that wait for review, and a queue of them on a real Redis."""

from __future__ import annotations

from collections.abc import Sequence

from services.collector.bands import Band
from services.collector.pair import ScoredPair
from services.collector.queues import Queues
from services.collector.redis_client import open_redis
from services.collector.review_queue import Held, OpenPair, ReviewQueue, review_id_of
from services.collector.write_script import Write
from tests.collector.pairs import pair, signals
from tests.collector.redis_process import RedisProcess

JOURNAL_ID = "journal-1"


def doubtful(segment_id: int, score: float, session_id: str = "session-a") -> ScoredPair:
    """A pair of the band review: the lower its score, the more urgent."""
    return ScoredPair(
        pair(
            segment_id=segment_id,
            session_id=session_id,
            sequence=segment_id,
            signals=signals(translation_qe=score, marian_agreement=score),
        ),
        Band.REVIEW,
        *(score, score, score, score),
    )


class Reviewing:
    """The leases of one Redis, and what a follower of the journal would write there."""

    def __init__(self, redis: RedisProcess, lease_s: float = 60.0) -> None:
        self.redis = redis
        self.queues = Queues.open(redis.url)
        self.leases = self.collector(lease_s)
        self._cursor = 0

    def collector(self, lease_s: float = 60.0) -> ReviewQueue:
        """The leases as one more collector sees them."""
        return ReviewQueue(open_redis(self.redis.url, 5.0), lease_s)

    async def close(self) -> None:
        await self.leases.close()
        await self.queues.close()

    async def write(self, *changes: object) -> None:
        """Writes as the follower does, one journal event each."""
        writes = [
            Write(self._cursor + number, change)  # type: ignore[arg-type]
            for number, change in enumerate(changes, start=1)
        ]
        written = await self.queues.write(JOURNAL_ID, self._cursor, writes)
        self._cursor = written.cursor

    async def add(self, scores: Sequence[float], session_id: str = "session-a") -> None:
        await self.write(
            *(doubtful(number, score, session_id) for number, score in enumerate(scores, start=1))
        )

    async def decide(self, leased: OpenPair, revision: int = 1) -> None:
        """What a decision that the journal has taken does to the leases."""
        assert leased.lease is not None
        lease_id = leased.lease.lease_id
        pair_id = leased.machine.pair.pair_id
        held = Held(pair_id, leased.lease.reviewer)
        await self.leases.settle(
            held, review_id_of(lease_id), self._cursor + 1, revision, JOURNAL_ID
        )

    def keys_with(self, session_id: str) -> list[str]:
        """Every key of the review whose name or content names a session."""
        client = self.redis.client
        readers = {
            "hash": lambda key: client.hgetall(key),
            "zset": lambda key: client.zrange(key, 0, -1),
            "string": lambda key: client.get(key),
            "stream": lambda key: client.xrange(key),
            "list": lambda key: client.lrange(key, 0, -1),
            "set": lambda key: client.smembers(key),
        }
        return [
            key
            for key in client.scan_iter("glossa:*")
            if session_id in key or session_id in str(readers[client.type(key)](key))
        ]


def pair_ids(pairs: Sequence[OpenPair]) -> list[str]:
    return [found.machine.pair.pair_id for found in pairs]
