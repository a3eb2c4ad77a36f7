"""A real collector process between a scripted gateway and a real Redis."""

from __future__ import annotations

import asyncio
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glossa.collector.v1 import collector_pb2, collector_pb2_grpc
from services.collector.bands import BANDS
from services.collector.pair_keys import counts_key, cursor_key, stream_key
from services.collector.queues import Queues
from services.settings import port
from tests.collector.redis_process import RedisProcess
from tests.collector.upstream import Upstream
from tests.processes import ServiceProcess, free_port_base

WAIT_S = 30.0


class Stack:
    """The collector under test and both its neighbours; nothing is started yet."""

    def __init__(self, folder: Path) -> None:
        self.base = free_port_base()
        self.folder = folder
        self.upstream = Upstream(port("gateway", self.base))
        self.redis = RedisProcess(port("redis", self.base), folder / "redis")
        self.collector = self.new_collector()

    def new_collector(self, **settings: object) -> ServiceProcess:
        return ServiceProcess(
            "collector",
            self.base,
            self.folder,
            **{
                "gateway_address": self.upstream.address,
                "redis_url": self.redis.url,
                "redis_timeout_s": 0.5,
                "queue_check_interval_s": 0.3,
                **settings,
            },
        )

    async def start(self) -> None:
        self.redis.start()
        await self.upstream.start()
        await self.start_collector()

    async def start_collector(self) -> None:
        self.collector.start()
        await self.collector.wait_ready()

    async def stop(self) -> None:
        self.collector.kill()
        await self.upstream.stop()
        self.redis.kill()

    def collected(self) -> Counter[str]:
        """How often each pair id is in the streams."""
        return Counter(
            fields["pair_id"]
            for band in BANDS
            for _, fields in self.redis.client.xrange(stream_key(band))
        )

    def entry_count(self) -> int:
        return sum(int(self.redis.client.xlen(stream_key(band))) for band in BANDS)

    def counts(self, session_id: str = "") -> dict[str, int]:
        numbers = self.redis.client.hgetall(counts_key(session_id))
        return {name: int(number) for name, number in numbers.items()}

    def cursor(self) -> int:
        return int(self.redis.client.get(cursor_key(self.upstream.journal_id)) or 0)

    async def caught_up(self) -> None:
        """Waits until the whole journal is in Redis."""
        await until(lambda: self.cursor() == self.upstream.last_sequence)

    def assert_each_pair_once(self) -> None:
        """Every pair is in one stream or counted as excluded, once; and the counts say the same."""
        collected = self.collected()
        assert not {pair_id for pair_id, number in collected.items() if number > 1}
        counts = self.counts()
        excluded = {
            pair_id for pair_id in self.upstream.pair_ids() if int(pair_id.split("/")[1]) % 5 == 4
        }
        assert set(collected) == self.upstream.pair_ids() - excluded
        assert counts.get("excluded", 0) == counts.get("excluded:too_few_words", 0) == len(excluded)
        for band in BANDS:
            assert counts.get(band.value, 0) == self.redis.client.xlen(stream_key(band))

    async def stats(self, session_id: str = "") -> collector_pb2.StatsResponse:
        async with grpc.aio.insecure_channel(self.collector.address) as channel:
            stub = collector_pb2_grpc.CollectorServiceStub(channel)
            return await stub.Stats(collector_pb2.StatsRequest(session_id=session_id), timeout=10)

    async def export(self, *bands: int, **request: object) -> list[collector_pb2.ScoredPair]:
        async with grpc.aio.insecure_channel(self.collector.address) as channel:
            call = collector_pb2_grpc.CollectorServiceStub(channel).ExportPairs(
                collector_pb2.ExportPairsRequest(bands=bands, **request), timeout=10
            )
            try:
                return [response.pair async for response in call]
            finally:
                call.cancel()

    async def health(self, name: str) -> int:
        """What the collector says of one name in gRPC health."""
        async with grpc.aio.insecure_channel(self.collector.address) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            return int(answer.status)

    async def until_health(self, name: str, status: int) -> None:
        async with asyncio.timeout(WAIT_S):
            while await self.health(name) != status:
                await asyncio.sleep(0.05)

    async def metric(self, name: str, collector: ServiceProcess | None = None) -> float:
        """The value of a metric, its labels in `name`; NaN while it is not there."""
        address = (collector or self.collector).http_address
        text = await asyncio.to_thread(_read_metrics, address)
        for line in text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
        return float("nan")

    async def until_metric(self, name: str, value: float) -> None:
        async with asyncio.timeout(WAIT_S):
            while await self.metric(name) != value:
                await asyncio.sleep(0.05)


def _read_metrics(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition; fails after WAIT_S."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.005)


@pytest_asyncio.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    stack = Stack(tmp_path)
    try:
        yield stack
    finally:
        await stack.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """A Redis that the tests of a module share; `queues` empties it."""
    server = RedisProcess(port("redis", free_port_base()), tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest_asyncio.fixture
async def queues(server: RedisProcess) -> AsyncIterator[Queues]:
    server.client.flushall()
    queues = Queues.open(server.url, timeout_s=2)
    yield queues
    await queues.close()
