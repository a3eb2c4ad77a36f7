"""Starts real service processes for tests, on free ports below 32768, and ends them by their id."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.settings import PORT_OFFSETS, port

REPOSITORY = Path(__file__).resolve().parents[1]
READY_TIMEOUT_S = 60.0
LOOPBACK = "127.0.0.1"


def free_port_base() -> int:
    """A base at which every port of a stack is free now. Ports below 32768 are never ephemeral.

    Tests that run beside these, in another worker of pytest-xdist, have bases of their own.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    worker_count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    bases = range(10_000, 32_000, 20)[worker::worker_count]
    for base in random.SystemRandom().sample(bases, min(200, len(bases))):
        if all(_is_free(base + offset) for offset in PORT_OFFSETS.values()):
            return base
    raise RuntimeError("no free block of ports between 10000 and 32000")


def _is_free(number: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", number))
        except OSError:
            return False
    return True


class ServiceProcess:
    """One `python -m services.<name>` on the ports of a stack that starts at `base`."""

    python = sys.executable

    def __init__(
        self, name: str, base: int, log_folder: Path, *, host: str = LOOPBACK, **settings: object
    ) -> None:
        """`settings` become GLOSSA_<NAME>_* variables: `ServiceProcess("stt", ..., engine="x")`."""
        self.name = name
        self.address = f"{host}:{port(name, base)}"
        self.http_address = f"{host}:{port(f'{name}_http', base)}"
        prefix, web = f"GLOSSA_{name.upper()}_", f"{name}_web"
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")},
            f"{prefix}HOST": host,
            f"{prefix}GRPC_PORT": str(port(name, base)),
            f"{prefix}HTTP_PORT": str(port(f"{name}_http", base)),
            **({f"{prefix}WEB_PORT": str(port(web, base))} if web in PORT_OFFSETS else {}),
            f"{prefix}LOG_FORMAT": "json",
            **{prefix + key.upper(): str(value) for key, value in settings.items()},
        }
        self.log_path = log_folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log_path.open("ab") as log_file:
            self._process = subprocess.Popen(
                [self.python, "-m", f"services.{self.name}"],
                cwd=REPOSITORY,
                env=self._environment,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
            )

    async def wait_ready(self) -> None:
        """Waits until health says SERVING; fails with the log when the process ended instead."""
        async with asyncio.timeout(READY_TIMEOUT_S), grpc.aio.insecure_channel(self.address) as ch:
            stub = health_pb2_grpc.HealthStub(ch)
            while True:
                assert self._process is not None
                if self._process.poll() is not None:
                    raise RuntimeError(f"{self.name} ended: {self.log_path.read_text()[-4000:]}")
                try:
                    answer = await stub.Check(
                        health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True
                    )
                except grpc.aio.AioRpcError:
                    continue
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                await asyncio.sleep(0.05)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, as a crash would."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self, timeout_s: float = 15.0) -> int:
        """SIGTERM, then the exit status; kills after `timeout_s`."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        return self._process.returncode
