"""Exactly once, whoever dies, freezes or forgets."""

from __future__ import annotations

import random
import signal
from collections.abc import AsyncIterator

import grpc
import pytest

from services.errors import reason_of
from tests.collector.conftest import Stack, until
from tests.collector.redis_process import RedisProcess
from tests.collector.upstream import sermon

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


async def test_a_redis_that_can_lose_pairs_is_warned_of_and_used(stack: Stack) -> None:
    port = stack.redis.port
    stack.redis = RedisProcess(
        port,
        stack.folder / "redis",
        *("--appendonly", "no", "--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru"),
    )
    stack.upstream.add(sermon(range(1, 6)))
    await stack.start()
    await stack.caught_up()
    log = stack.collector.log_path.read_text()
    assert "set noeviction" in log
    assert "set appendonly yes" in log
    for setting in ("maxmemory_policy", "appendonly"):
        assert await stack.metric(at_risk(setting)) == 1

    # Set right, it is well when it is next met.
    stack.redis.kill()
    await stack.until_metric(QUEUE_AVAILABLE, 0)
    stack.redis = RedisProcess(port, stack.folder / "redis")
    stack.redis.start()
    for setting in ("maxmemory_policy", "appendonly"):
        await stack.until_metric(at_risk(setting), 0)
    await stack.caught_up()


def at_risk(setting: str) -> str:
    return f'glossa_collector_queue_at_risk_bool{{setting="{setting}"}}'
