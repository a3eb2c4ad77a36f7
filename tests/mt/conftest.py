"""A real mt process with the real Apertium, and what tests look at from outside."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
import pytest_asyncio

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services.channels import open_channel
from tests.mt.scripted import Mt, Script, Serve, serving_mt
from tests.processes import LOOPBACK, ServiceProcess, free_port_base

WAIT_S = 15.0


class MtProcess(ServiceProcess):
    """mt with its stub; `translate` sends English to Spanish unless told otherwise.

    Its runtime is Apertium unless a test names another: what that says can be told beforehand.
    """

    def __init__(
        self,
        log_folder: Path,
        *,
        base: int | None = None,
        host: str = LOOPBACK,
        **settings: object,
    ) -> None:
        settings = {"runtime": "apertium", **settings}
        super().__init__("mt", base or free_port_base(), log_folder, host=host, **settings)
        self.channel = open_channel(self.address)
        self.stub = mt_pb2_grpc.MtServiceStub(self.channel)

    def translate(
        self,
        text: str,
        source: str = "en",
        target: str = "es",
        timeout_s: float = 20,
        **more: object,
    ) -> grpc.aio.UnaryUnaryCall:
        return self.stub.Translate(
            mt_pb2.TranslateRequest(
                text=text, source_language=source, target_language=target, **more
            ),
            timeout=timeout_s,
        )

    def stages(self) -> list[psutil.Process]:
        return psutil.Process(self.pid).children()

    async def metric(self, name: str) -> float:
        """The value of one metric, labels included in its name; 0 when it has none yet."""
        page = await asyncio.to_thread(self._metrics_page)
        found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _metrics_page(self) -> str:
        with urllib.request.urlopen(f"http://{self.http_address}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    async def wait_for_metric(self, name: str, value: float) -> None:
        async with asyncio.timeout(WAIT_S):
            while await self.metric(name) != value:
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def shared_mt(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MtProcess]:
    """One mt for the tests that leave it as they found it."""
    process = MtProcess(tmp_path_factory.mktemp("mt"))
    process.start()
    try:
        await process.wait_ready()
        yield process
        assert process.stop() == 0
    finally:
        process.kill()
        await process.channel.close()


@pytest_asyncio.fixture(loop_scope="session")
async def own_mt(tmp_path: Path) -> AsyncIterator[Callable[..., MtProcess]]:
    """Makes mt processes that a test may break; started by the test."""
    made: list[MtProcess] = []

    def make(**settings: object) -> MtProcess:
        made.append(MtProcess(tmp_path, **settings))
        made[-1].start()
        return made[-1]

    yield make
    for process in made:
        process.kill()
        await process.channel.close()


@pytest_asyncio.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts an mt with scripted tiers; `settings` for the rest."""
    async with AsyncExitStack() as stack:

        async def start(settings: dict[str, Any] | None = None, **by_model: Script) -> Mt:
            service: AbstractAsyncContextManager[Mt] = serving_mt(
                tmp_path, by_model, **(settings or {})
            )
            return await stack.enter_async_context(service)

        yield start
