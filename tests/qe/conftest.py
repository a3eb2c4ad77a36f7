"""A real qe process with the real Apertium, and what tests look at from outside."""

from __future__ import annotations

import asyncio
import re
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import grpc
import psutil
import pytest
import pytest_asyncio

from glossa.qe.v1 import qe_pb2, qe_pb2_grpc
from glossa.types.v1 import models_pb2, models_pb2_grpc
from services.channels import open_channel
from tests.processes import ServiceProcess, free_port_base

WAIT_S = 15.0

Values = dict[str, float | None]


class QeProcess(ServiceProcess):
    """qe with its stub; pairs are English and Spanish unless told otherwise.

    Args:
        python: of another environment than the tests' own.
    """

    def __init__(self, log_folder: Path, python: str = sys.executable, **settings: object) -> None:
        super().__init__("qe", free_port_base(), log_folder, **settings)
        self.python = python
        self.channel = open_channel(self.address)
        self.stub = qe_pb2_grpc.QeServiceStub(self.channel)

    def score(
        self,
        pairs: Sequence[tuple[str, str]],
        source: str = "en",
        target: str = "es",
        timeout_s: float = 20,
    ) -> grpc.aio.UnaryUnaryCall:
        return self.stub.Score(
            qe_pb2.ScoreRequest(
                pairs=[
                    qe_pb2.Pair(
                        source_text=source_text,
                        target_text=target_text,
                        source_language=source,
                        target_language=target,
                    )
                    for source_text, target_text in pairs
                ]
            ),
            timeout=timeout_s,
        )

    async def values(
        self, source_text: str, target_text: str, source: str = "en", target: str = "es"
    ) -> Values:
        """The signals of one pair by name; None for those that are unset."""
        answer = await self.score([(source_text, target_text)], source, target)
        return {
            signal.name: signal.value if signal.HasField("value") else None
            for signal in answer.scores[0].signals
        }

    async def model(self) -> models_pb2.GetModelResponse:
        stub = models_pb2_grpc.ModelServiceStub(self.channel)
        return await stub.GetModel(models_pb2.GetModelRequest(), timeout=5)

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
async def shared_qe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QeProcess]:
    """One qe for the tests that leave it as they found it."""
    process = QeProcess(tmp_path_factory.mktemp("qe"))
    process.start()
    try:
        await process.wait_ready()
        yield process
        assert process.stop() == 0
    finally:
        process.kill()
        await process.channel.close()


@pytest_asyncio.fixture(loop_scope="session")
async def own_qe(tmp_path: Path) -> AsyncIterator[Callable[..., QeProcess]]:
    """Makes qe processes that a test may break."""
    made: list[QeProcess] = []

    def make(**settings: object) -> QeProcess:
        made.append(QeProcess(tmp_path, **settings))
        made[-1].start()
        return made[-1]

    yield make
    for process in made:
        process.kill()
        await process.channel.close()
