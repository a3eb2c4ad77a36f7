"""Exactly once, whoever dies, freezes or forgets."""

from __future__ import annotations

import asyncio
import random
import signal
import urllib.request
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckResponse

from services.collector.bands import Band
from services.collector.pair_keys import CORRECTED, stream_key
from services.collector.review_keys import OPEN_KEY
from services.errors import reason_of
from tests.collector.conftest import Stack, until
from tests.collector.redis_contents import contents, state
from tests.collector.redis_process import RedisProcess
from tests.collector.upstream import pair_scored, reviewed_sermon, sermon

QUEUE = "glossa.collector.v1.Queue"
QUEUE_AVAILABLE = "glossa_collector_queue_available_bool"


async def assert_queue_unavailable(stack: Stack) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await stack.stats()
    assert reason_of(error.value) == "QUEUE_UNAVAILABLE"


async def kill_points(stack: Stack, choose: random.Random, rounds: int) -> AsyncIterator[None]:
    """Adds to the journal, and yields at a random moment while the addition is collected."""
    stack.upstream.pace_s = 0.001
    for first in range(1, 100 * rounds, 100):
        before = stack.entry_count()
        stack.upstream.add(sermon(range(first, first + 100)))
        kill_point = before + choose.randint(1, 60)
        await until(lambda kill_point=kill_point: stack.entry_count() >= kill_point)
        yield


async def test_kill_of_the_collector_while_it_collects(stack: Stack) -> None:
    await stack.start()
    kills_in_the_middle = 0
    async for _ in kill_points(stack, random.Random(1), rounds=4):
        stack.collector.kill()
        kills_in_the_middle += stack.cursor() < stack.upstream.last_sequence
        stack.collector.start()
    await stack.caught_up()
    stack.assert_each_pair_once()
    assert kills_in_the_middle >= 3


async def test_kill_of_redis_while_it_is_written_to(stack: Stack) -> None:
    await stack.start()
    async for _ in kill_points(stack, random.Random(2), rounds=4):
        stack.redis.kill()
        stack.redis.start()
    await stack.caught_up()
    stack.assert_each_pair_once()
    assert '"queue_away"' in stack.collector.log_path.read_text()


async def forget_points(stack: Stack, choose: random.Random, rounds: int) -> AsyncIterator[None]:
    """Has sessions decided about and every second one forgotten; yields while that is collected."""
    stack.upstream.pace_s = 0.001
    for number in range(rounds):
        for session_id in (f"kept-{number}", f"gone-{number}"):
            stack.upstream.add(reviewed_sermon(range(1, 61), session_id))
        before = stack.cursor()
        forget_point = before + choose.randint(20, 300)
        await until(lambda forget_point=forget_point: stack.cursor() >= forget_point)
        stack.upstream.forget(f"gone-{number}")
        yield


async def assert_the_same_as_without_a_crash(stack: Stack) -> None:
    """An emptied Redis that the journal fills again in one go has just what was there before."""
    found = state(stack.redis.client)
    assert "gone-" not in str(contents(stack.redis.client))
    stack.redis.client.flushall()
    await stack.caught_up()
    assert state(stack.redis.client) == found
    assert found[OPEN_KEY]
    assert found[stream_key(CORRECTED)]


async def test_kill_of_the_collector_while_decisions_and_forgetting_come(stack: Stack) -> None:
    await stack.start()
    kills_in_the_middle = 0
    async for _ in forget_points(stack, random.Random(5), rounds=4):
        stack.collector.kill()
        kills_in_the_middle += stack.cursor() < stack.upstream.last_sequence
        stack.collector.start()
    await stack.caught_up()
    assert kills_in_the_middle >= 3
    await assert_the_same_as_without_a_crash(stack)


async def test_kill_of_redis_while_decisions_and_forgetting_come(stack: Stack) -> None:
    await stack.start()
    async for _ in forget_points(stack, random.Random(6), rounds=4):
        stack.redis.kill()
        stack.redis.start()
    await stack.caught_up()
    await assert_the_same_as_without_a_crash(stack)


async def test_a_redis_that_freezes_while_it_is_written_to(stack: Stack) -> None:
    await stack.start()
    async for _ in kill_points(stack, random.Random(3), rounds=3):
        stack.redis.signal(signal.SIGSTOP)
        await stack.until_metric(QUEUE_AVAILABLE, 0)
        # What was sent to it before it was given up is still in its sockets, and is done now.
        stack.redis.signal(signal.SIGCONT)
        await stack.until_metric(QUEUE_AVAILABLE, 1)
    await stack.caught_up()
    stack.assert_each_pair_once()


async def test_while_redis_is_frozen_the_gateway_is_not_read_without_end(stack: Stack) -> None:
    stack.collector = stack.new_collector(event_buffer=50)
    stack.upstream.add(sermon(range(1, 101)))
    await stack.start()
    await stack.caught_up()

    stack.redis.signal(signal.SIGSTOP)
    stack.upstream.add(sermon(range(101, 2_001)))
    await stack.until_metric(QUEUE_AVAILABLE, 0)
    await assert_queue_unavailable(stack)
    await stack.collector.wait_ready()  # the service itself is well
    await stack.until_metric("glossa_collector_events_waiting", 50)
    assert stack.upstream.sent < 2_000  # the rest stays where it is: in the journal

    stack.redis.signal(signal.SIGCONT)
    await stack.caught_up()
    await stack.until_metric(QUEUE_AVAILABLE, 1)
    stack.assert_each_pair_once()
    log = stack.collector.log_path.read_text()
    assert log.count('"queue_away"') == 1


async def test_redis_may_come_after_the_collector(stack: Stack) -> None:
    stack.upstream.add(sermon(range(1, 21)))
    await stack.upstream.start()
    await stack.start_collector()
    await stack.until_metric(QUEUE_AVAILABLE, 0)
    await assert_queue_unavailable(stack)
    stack.redis.start()
    await stack.caught_up()
    stack.assert_each_pair_once()


async def test_a_read_only_redis_is_waited_for(stack: Stack) -> None:
    await stack.start()
    stack.redis.client.replicaof("127.0.0.1", 1)  # a replica, whose master is not there
    stack.upstream.add(sermon(range(1, 21)))
    await stack.until_metric(QUEUE_AVAILABLE, 0)
    assert stack.entry_count() == 0
    stack.redis.client.replicaof("NO", "ONE")
    await stack.caught_up()
    stack.assert_each_pair_once()


async def test_an_emptied_redis_is_filled_again_from_the_start(stack: Stack) -> None:
    stack.upstream.add(sermon(range(1, 41)))
    await stack.start()
    await stack.caught_up()
    stack.redis.client.flushall()
    await stack.caught_up()  # found out while idle
    stack.assert_each_pair_once()
    stack.redis.client.flushall()
    stack.upstream.add(sermon(range(41, 51)))
    await stack.caught_up()  # found out by the next pair
    stack.assert_each_pair_once()


async def test_an_older_copy_of_redis_is_brought_up_to_date(stack: Stack) -> None:
    stack.upstream.add(sermon(range(1, 21)))
    await stack.start()
    await stack.caught_up()
    stack.redis.client.config_set("appendonly", "no")  # from here on nothing reaches the disk
    stack.upstream.add(sermon(range(21, 41)))
    await stack.caught_up()
    stack.redis.kill()
    stack.redis.start()
    await stack.caught_up()
    stack.assert_each_pair_once()


async def test_kill_of_the_collector_while_redis_is_frozen(stack: Stack) -> None:
    await stack.start()
    async for _ in kill_points(stack, random.Random(4), rounds=2):
        stack.redis.signal(signal.SIGSTOP)
        await stack.until_metric(QUEUE_AVAILABLE, 0)
        stack.collector.kill()
        stack.collector.start()
        # Redis now finds in its sockets what both collectors sent.
        stack.redis.signal(signal.SIGCONT)
        await stack.collector.wait_ready()
    await stack.caught_up()
    stack.assert_each_pair_once()


async def test_two_collectors_at_once_collect_each_pair_once(stack: Stack) -> None:
    await stack.start()
    first_port = int(stack.collector.address.split(":")[1])
    second = stack.new_collector(
        grpc_port=first_port + 3, http_port=first_port + 4, web_port=first_port + 6
    )
    second.start()
    try:
        await until(lambda: len(stack.upstream.asked) == 2)
        stack.upstream.pace_s = 0.001
        stack.upstream.add(sermon(range(1, 301)))
        await stack.caught_up()
        await stack.until_metric("glossa_collector_cursor_sequence", stack.upstream.last_sequence)
        # Both followed every event, so what one of them wrote the other was told is there already.
        duplicates = [
            await stack.metric("glossa_collector_duplicates_total", collector)
            for collector in (stack.collector, second)
        ]
    finally:
        second.kill()
    stack.assert_each_pair_once()
    assert sum(duplicates) > 0


async def test_a_redis_that_can_lose_pairs_is_warned_of_loudly_and_used(stack: Stack) -> None:
    stack.redis = RedisProcess(
        stack.redis.port,
        stack.folder / "redis",
        *("--appendonly", "no", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"),
        *("--stream-node-max-entries", "100"),
    )
    stack.upstream.add(sermon(range(1, 21)))
    await stack.start()
    await stack.caught_up()
    settings = {
        "maxmemory_policy": "set noeviction",
        "appendonly": "set appendonly yes",
        "stream_node_max_entries": "set stream-node-max-entries 1",
    }
    for setting in settings:
        await stack.until_metric(at_risk(setting), 1)
    log = stack.collector.log_path.read_text()
    readiness = await asyncio.to_thread(read_readiness, stack)
    risks = (await stack.stats()).queue_risks
    assert len(risks) == len(settings)
    for advice in settings.values():
        assert log.count(advice) == 1
        assert advice in readiness
        assert advice in "".join(risks)
    assert readiness.startswith("ready\n")
    assert await stack.health(QUEUE) == HealthCheckResponse.NOT_SERVING

    # Set right while it runs, it is well when it is next looked at.
    client = stack.redis.client
    client.config_set("appendonly", "yes")
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("stream-node-max-entries", 1)
    client.flushdb()
    for setting in settings:
        await stack.until_metric(at_risk(setting), 0)
    await stack.caught_up()
    assert await stack.health(QUEUE) == HealthCheckResponse.SERVING
    assert not (await stack.stats()).queue_risks
    assert await asyncio.to_thread(read_readiness, stack) == "ready\n"


async def test_health_tells_a_redis_that_is_away_from_a_collector_that_is_not_well(
    stack: Stack,
) -> None:
    await stack.start()
    await stack.until_metric(QUEUE_AVAILABLE, 1)
    assert await stack.health(QUEUE) == HealthCheckResponse.SERVING
    stack.redis.kill()
    await stack.until_metric(QUEUE_AVAILABLE, 0)
    assert await stack.health(QUEUE) == HealthCheckResponse.NOT_SERVING
    assert await stack.health("") == HealthCheckResponse.SERVING
    readiness = await asyncio.to_thread(read_readiness, stack)
    assert readiness.startswith("ready\nwarning: glossa.collector.v1.Queue: Redis does not do")
    stack.redis.start()
    await stack.until_metric(QUEUE_AVAILABLE, 1)
    await stack.until_health(QUEUE, HealthCheckResponse.SERVING)


async def test_a_stream_that_grows_without_end_is_told_of(stack: Stack) -> None:
    stack.collector = stack.new_collector(queue_length_alarm=10)
    too_long = 'glossa_collector_queue_too_long_bool{band="accept"}'
    stack.upstream.add([pair_scored(number) for number in range(1, 11)])
    await stack.start()
    await stack.caught_up()
    await stack.until_metric(too_long, 0)
    stack.upstream.add([pair_scored(11)])
    await stack.until_metric(too_long, 1)
    assert stack.collector.log_path.read_text().count('"queue_too_long"') == 1


async def test_what_every_trainer_has_acknowledged_is_trimmed_while_nothing_happens(
    stack: Stack,
) -> None:
    stack.collector = stack.new_collector(trim_keep_days=0, trim_interval_s=0.1)
    stack.upstream.add(sermon(range(1, 31)))
    await stack.start()
    await stack.caught_up()
    stream = stream_key(Band.ACCEPT)
    stack.redis.client.xgroup_create(stream, "marian", id="0")
    ((_, entries),) = stack.redis.client.xreadgroup("marian", "job-1", {stream: ">"})
    stack.redis.client.xack(stream, "marian", *(entry_id for entry_id, _ in entries[:-1]))
    trimmed = 'glossa_collector_trimmed_entries_total{band="accept"}'
    await stack.until_metric(trimmed, len(entries) - 1)
    assert stack.redis.client.xlen(stream) == 1
    assert stack.counts()["accept"] == len(entries)


def at_risk(setting: str) -> str:
    return f'glossa_collector_queue_at_risk_bool{{setting="{setting}"}}'


def read_readiness(stack: Stack) -> str:
    with urllib.request.urlopen(
        f"http://{stack.collector.http_address}/readyz", timeout=5
    ) as answer:
        return str(answer.read().decode())
