"""Trimming: only what every consumer group has acknowledged, and nothing that is still young."""

from __future__ import annotations

import pytest

from services.collector.bands import Band
from services.collector.pair_keys import stream_key
from services.collector.queues import Queues
from services.collector.write_script import Write
from tests.collector.pairs import scored
from tests.collector.redis_process import RedisProcess

JOURNAL = "journal-1"
STREAM = stream_key(Band.ACCEPT)


@pytest.fixture
async def entry_ids(queues: Queues, server: RedisProcess) -> list[str]:
    """The ids of ten entries of a stream, none of them young when nothing is kept for its age."""
    writes = [Write(n, scored(Band.ACCEPT, sequence=n, segment_id=n)) for n in range(1, 11)]
    await queues.write(JOURNAL, 0, writes)
    return left(server)


def left(server: RedisProcess, stream: str = STREAM) -> list[str]:
    return [entry_id for entry_id, _ in server.client.xrange(stream)]


def read(server: RedisProcess, group: str, consumer: str, count: int) -> list[str]:
    """Reads as a trainer does; what it reads is pending until it is acknowledged."""
    ((_, entries),) = server.client.xreadgroup(group, consumer, {STREAM: ">"}, count=count)
    return [entry_id for entry_id, _ in entries]


async def trim(queues: Queues, server: RedisProcess, keep_days: float = 0) -> int:
    now_ms = time_ms(server)
    while time_ms(server) == now_ms:  # what was written in this very millisecond is not older yet
        pass
    return sum((await queues.trim(keep_days)).values())


def time_ms(server: RedisProcess) -> int:
    seconds, microseconds = server.client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def test_a_stream_that_nobody_reads_is_never_trimmed(
    queues: Queues, server: RedisProcess, entry_ids: list[str]
) -> None:
    assert await trim(queues, server) == 0
    assert left(server) == entry_ids


async def test_what_a_group_has_not_read_stays(
    queues: Queues, server: RedisProcess, entry_ids: list[str]
) -> None:
    server.client.xgroup_create(STREAM, "marian", id="0")
    assert await trim(queues, server) == 0
    server.client.xack(STREAM, "marian", *read(server, "marian", "job-1", 4))
    assert await trim(queues, server) == 4
    assert left(server) == entry_ids[4:]
    assert read(server, "marian", "job-1", 10) == entry_ids[4:]


async def test_what_is_pending_stays_with_everything_after_it(
    queues: Queues, server: RedisProcess, entry_ids: list[str]
) -> None:
    server.client.xgroup_create(STREAM, "marian", id="0")
    read(server, "marian", "job-that-died", 3)
    server.client.xack(STREAM, "marian", *read(server, "marian", "job-2", 7))
    assert await trim(queues, server) == 0
    server.client.xack(STREAM, "marian", *entry_ids[:2])
    assert await trim(queues, server) == 2
    assert left(server) == entry_ids[2:]
    # Somebody takes over what the dead one had, and is done with it.
    taken = server.client.xautoclaim(STREAM, "marian", "job-2", min_idle_time=0)[1]
    assert [entry_id for entry_id, _ in taken] == [entry_ids[2]]
    server.client.xack(STREAM, "marian", entry_ids[2])
    assert await trim(queues, server) == 8
    assert left(server) == []


async def test_the_slowest_group_decides(
    queues: Queues, server: RedisProcess, entry_ids: list[str]
) -> None:
    for group in ("marian", "whisper"):
        server.client.xgroup_create(STREAM, group, id="0")
    server.client.xack(STREAM, "marian", *read(server, "marian", "job-1", 10))
    assert await trim(queues, server) == 0
    server.client.xack(STREAM, "whisper", *read(server, "whisper", "job-1", 6))
    assert await trim(queues, server) == 6
    assert left(server) == entry_ids[6:]
    server.client.xgroup_destroy(STREAM, "whisper")
    assert await trim(queues, server) == 4


async def test_a_group_of_one_stream_says_nothing_about_another(
    queues: Queues, server: RedisProcess, entry_ids: list[str]
) -> None:
    await queues.write(JOURNAL, 10, [Write(11, scored(Band.MODERATE, sequence=11, segment_id=11))])
    server.client.xgroup_create(STREAM, "marian", id="$")
    assert await trim(queues, server) == 10
    assert len(left(server, stream_key(Band.MODERATE))) == 1


async def test_what_is_young_stays_whoever_has_read_it(
    queues: Queues, server: RedisProcess
) -> None:
    day_ms = 24 * 3600 * 1000
    seconds, _ = server.client.time()
    ages_days = (100, 91, 89, 0)
    for age in ages_days:
        server.client.xadd(STREAM, {"pair_id": "x"}, id=f"{seconds * 1000 - age * day_ms}-0")
    server.client.xgroup_create(STREAM, "marian", id="$")
    assert await trim(queues, server, keep_days=90) == 2
    assert len(left(server)) == 2


async def test_a_long_backlog_is_trimmed_to_the_last_entry(
    queues: Queues, server: RedisProcess
) -> None:
    with server.client.pipeline(transaction=False) as pipeline:
        for number in range(2_500):
            pipeline.xadd(STREAM, {"number": number})
        pipeline.execute()
    server.client.xgroup_create(STREAM, "marian", id="$")
    assert await trim(queues, server) == 2_500


async def test_a_pair_that_waits_for_review_outlives_its_entry(
    queues: Queues, server: RedisProcess
) -> None:
    await queues.write(JOURNAL, 0, [Write(1, scored(Band.REVIEW, sequence=1))])
    server.client.xgroup_create(stream_key(Band.REVIEW), "marian", id="$")
    assert await trim(queues, server) == 1
    assert await queues.open_review_count() == 1
    assert (await queues.counts()).bands[Band.REVIEW] == 1
