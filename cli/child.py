"""One child process of the supervisor: started, asked for its health, ended with all it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Protocol

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.stack import REPOSITORY
from services.channels import open_channel

_PROBE_TIMEOUT_S = 2.0
_LOG_LIMIT_BYTES = 5 * 1024 * 1024


class Health(Enum):
    """What a process says of itself."""

    SERVING = "serving"
    NOT_SERVING = "not serving"
    SILENT = "silent"


class Child:
    """A running process, leader of its own session."""

    def __init__(self, name: str, address: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self._probe = probe_of(name, address)

    @classmethod
    async def start(
        cls,
        name: str,
        command: list[str],
        address: str,
        environment: Mapping[str, str],
        log_path: Path,
    ) -> Child:
        """Starts `command`; its output goes to the end of `log_path`."""
        leash = [sys.executable, "-S", "-P", str(REPOSITORY / "cli" / "leash.py"), str(os.getpid())]
        with log_path.open("ab") as log_file:
            process = await asyncio.create_subprocess_exec(
                *leash,
                *command,
                cwd=REPOSITORY,
                env=dict(environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
            )
        return cls(name, address, process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def health(self) -> Health:
        return await self._probe.health()

    async def ended(self) -> int:
        """Waits for the process; what it left behind is killed. Returns its exit status."""
        status = await self._process.wait()
        self._signal_session(signal.SIGKILL)
        return status

    async def close(self) -> None:
        """Lets go of the connection that `health` uses."""
        await self._probe.close()

    def kill(self) -> None:
        """SIGKILL to the process and everything it started."""
        self._signal_session(signal.SIGKILL)

    async def stop(self, timeout_s: float) -> bool:
        """SIGTERM, and SIGKILL after `timeout_s`. Returns whether it went by itself."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(timeout_s):
                await self._process.wait()
            in_time = True
        except TimeoutError:
            self.kill()
            in_time = False
        await self.ended()
        return in_time

    def _signal_session(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class Probe(Protocol):
    """Asks one service how it is."""

    async def health(self) -> Health:
        """What it says, within two seconds."""

    async def close(self) -> None:
        """Lets go of its connection."""


def probe_of(name: str, address: str) -> Probe:
    return _RedisProbe(address) if name == "redis" else _GrpcProbe(address)


class _GrpcProbe:
    """Asks grpc.health.v1: a service's event loop answers, so a stuck one is silent."""

    def __init__(self, address: str) -> None:
        self._channel = open_channel(address)
        self._stub = health_pb2_grpc.HealthStub(self._channel)

    async def health(self) -> Health:
        try:
            answer = await self._stub.Check(
                health_pb2.HealthCheckRequest(), timeout=_PROBE_TIMEOUT_S, wait_for_ready=True
            )
        except grpc.aio.AioRpcError:
            return Health.SILENT
        serving = answer.status == health_pb2.HealthCheckResponse.SERVING
        return Health.SERVING if serving else Health.NOT_SERVING

    async def close(self) -> None:
        await self._channel.close()


class _RedisProbe:
    """Asks as the user who may ask nothing else (redis-server/users.acl)."""

    def __init__(self, address: str) -> None:
        self._host, _, self._port = address.partition(":")

    async def health(self) -> Health:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(self._host, int(self._port))
                try:
                    writer.write(b"AUTH health any\r\nPING\r\n")
                    await reader.readline()
                    answer = await reader.readline()
                finally:
                    writer.close()
        except OSError:  # TimeoutError is one
            return Health.SILENT
        if not answer:
            return Health.SILENT
        return Health.SERVING if answer.startswith(b"+PONG") else Health.NOT_SERVING

    async def close(self) -> None:
        """Holds nothing open."""


def rotate_log(path: Path) -> None:
    """Sets a large log of earlier runs aside; one is kept."""
    if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
        path.replace(path.with_suffix(".log.1"))


def log_tail(path: Path, lines: int = 5) -> str:
    """The last lines of a log, indented."""
    with contextlib.suppress(OSError), path.open("rb") as log_file:
        log_file.seek(max(0, path.stat().st_size - 8192))
        text = log_file.read().decode(errors="replace")
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
    return ""
