"""The server that `./glossa bench captions` measures: a process on a core of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from cli.child import Child, log_tail
from services.settings import port

_START_TIMEOUT_S = 30.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Server:
    """A running server of captions."""

    process: psutil.Process
    web_port: int
    grpc_port: int

    def cpu_s(self) -> float:
        """User and system time so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextlib.asynccontextmanager
async def running(name: str, port_base: int, folder: Path) -> AsyncIterator[Server]:
    """`captions`, or `naive`, following the gateway's port of `port_base`; ready from entry on.

    Raises:
        RuntimeError: it ended at once, with the last lines of its log.
    """
    grpc_port, web_port = port("captions", port_base), port("captions_web", port_base)
    upstream = f"127.0.0.1:{port('gateway', port_base)}"
    log_path = folder / f"{name}.log"
    python = [sys.executable, "-P", "-m"]
    if name == "captions":
        command = [*python, "services.captions"]
    else:
        command = [*python, "bench.captions_naive", str(web_port), upstream]
    settings = {
        "GRPC_PORT": grpc_port,
        "HTTP_PORT": port("captions_http", port_base),
        "WEB_PORT": web_port,
        "UPSTREAM_ADDRESS": upstream,
        "LOG_FORMAT": "json",
        # All displays of the crowd are on this machine.
        **dict.fromkeys(
            ("VIEWER_LIMIT", "CONNECTION_LIMIT", "CALLS_PER_HOST", "WEB_CONNECTIONS_PER_HOST"),
            100_000,
        ),
    }
    environment = {name: text for name, text in os.environ.items() if not name.startswith("GLOSSA")}
    environment |= {f"GLOSSA_CAPTIONS_{name}": str(value) for name, value in settings.items()}
    with on_cores(server_cores()):  # a child keeps what its parent has when it starts
        child = await Child.start(name, command, f"127.0.0.1:{grpc_port}", environment, log_path)
    try:
        await _listening(child, web_port, log_path)
        yield Server(psutil.Process(child.pid), web_port, grpc_port)
    finally:
        child.kill()
        await child.ended()
        await child.close()


def server_cores() -> set[int]:
    """The last core; all where cores cannot be chosen, or there is one."""
    cores = _cores()
    return {cores[-1]} if len(cores) > 1 else set(cores)


def load_cores() -> set[int]:
    """The other cores."""
    return set(_cores()[:-1]) or set(_cores())


@contextlib.contextmanager
def on_cores(cores: set[int]) -> Iterator[None]:
    """This thread, and what it starts, on these cores while entered; where the system can."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


async def _listening(child: Child, number: int, log_path: Path) -> None:
    ended = asyncio.create_task(child.ended())
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not _answers(number):
                if ended.done():
                    raise RuntimeError(f"{child.name} ended: {log_tail(log_path)}")
                await asyncio.sleep(_POLL_S)
    finally:
        ended.cancel()


def _answers(number: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", number)) == 0
