"""Real stt processes for the tests."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from tests.processes import ServiceProcess, free_port_base

CHILD_MODULE = "services.stt.engines.pocketsphinx_child"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_stt(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServiceProcess]:
    """One warm process for all tests that leave it as it was."""
    process = ServiceProcess("stt", free_port_base(), tmp_path_factory.mktemp("stt"))
    process.start()
    try:
        await process.wait_ready()
        yield process
    finally:
        process.kill()


@pytest.fixture
def start_stt(tmp_path: Path) -> AsyncIterator[Callable[..., ServiceProcess]]:
    """Starts processes of the test's own: `start_stt(max_streams=1)`."""
    started: list[ServiceProcess] = []

    def start(**settings: object) -> ServiceProcess:
        process = ServiceProcess("stt", free_port_base(), tmp_path, **settings)
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        process.kill()


def engine_children(pid: int) -> dict[str, psutil.Process]:
    """The engine's processes by role, "final" and "live"."""
    return {
        child.cmdline()[3]: child
        for child in psutil.Process(pid).children()
        if CHILD_MODULE in child.cmdline()
    }


def metric(process: ServiceProcess, name: str) -> float:
    """The value of one line of /metrics, by its name with labels; 0 when there is none."""
    with urllib.request.urlopen(f"http://{process.http_address}/metrics", timeout=5) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rsplit(" ", 1)[1])
    return 0.0


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Returns when `condition` holds; fails after `timeout_s`."""
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "the condition never held"
        time.sleep(0.02)
