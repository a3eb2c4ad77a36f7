"""The trial service as a real process."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services.channels import open_channel
from tests.processes import REPOSITORY, free_port_base


class Trial:
    """One `python -m tests.services.trial`; settings become GLOSSA_TRIAL_* variables."""

    def __init__(self, folder: Path, **settings: object) -> None:
        base = free_port_base()
        variables = {"grpc_port": base, "http_port": base + 1, "log_format": "json", **settings}
        self.grpc_port, self.http_port = base, base + 1
        self.address = f"127.0.0.1:{self.grpc_port}"
        self._log_path = folder / f"trial-{base}.log"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")},
            **{f"GLOSSA_TRIAL_{key.upper()}": str(value) for key, value in variables.items()},
            "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "protos"))),
        }
        with self._log_path.open("wb") as log_file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.services.trial"],
                cwd=REPOSITORY,
                env=self._environment,
                stdout=log_file,
                stderr=log_file,
            )
        self.channel = open_channel(self.address)
        self.mt = mt_pb2_grpc.MtServiceStub(self.channel)

    def log(self) -> str:
        return self._log_path.read_text()

    def log_events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    async def health(self, service: str = "", *, timeout_s: float = 10.0) -> str:
        """The name of the service's health; waits for the port to open."""
        answer = await health_pb2_grpc.HealthStub(self.channel).Check(
            health_pb2.HealthCheckRequest(service=service), timeout=timeout_s, wait_for_ready=True
        )
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

    async def wait_health(self, wanted: str, *, timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while await self.health() != wanted:
                await asyncio.sleep(0.02)

    async def translate(self, text: str, *, timeout_s: float = 20.0) -> str:
        answer = await self.mt.Translate(mt_pb2.TranslateRequest(text=text), timeout=timeout_s)
        return str(answer.text)

    def stream(self, text: str, *, timeout_s: float = 20.0) -> grpc.aio.UnaryStreamCall:
        request = mt_pb2.StreamTranslateRequest(request=mt_pb2.TranslateRequest(text=text))
        return self.mt.StreamTranslate(request, timeout=timeout_s)

    async def http(self, path: str) -> tuple[int, str]:
        """Status and text of the operators' port."""
        return await asyncio.to_thread(self._http, path)

    def _http(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, timeout_s: float = 20.0) -> int:
        return await asyncio.to_thread(self.process.wait, timeout_s)


@pytest.fixture
def no_glossa_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what the test sets is set."""
    for name in [name for name in os.environ if name.startswith("GLOSSA_")]:
        monkeypatch.delenv(name)


TrialStarter = Callable[..., Trial]


@pytest_asyncio.fixture
async def start_trial(tmp_path: Path) -> AsyncIterator[TrialStarter]:
    """Starts trial services; they are gone after the test."""
    started: list[Trial] = []

    def start(**settings: object) -> Trial:
        started.append(Trial(tmp_path, **settings))
        return started[-1]

    yield start
    for trial in started:
        await trial.channel.close()
        trial.process.kill()
        trial.process.wait()
