"""A scripted journal and captions processes that follow it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.settings import port
from tests.captions.upstream import ScriptedJournal
from tests.processes import ServiceProcess, free_port_base

StartCaptions = Callable[..., Awaitable[ServiceProcess]]


@pytest.fixture
def base() -> int:
    return free_port_base()


@pytest.fixture
async def journal(base: int) -> AsyncIterator[ScriptedJournal]:
    journal = ScriptedJournal()
    await journal.serve(f"127.0.0.1:{port('gateway', base)}")
    yield journal
    await journal.stop()


@pytest.fixture
async def start_captions(base: int, tmp_path: Path) -> AsyncIterator[StartCaptions]:
    """Starts a captions process; by default it follows the journal. `.web` is its page."""
    started: list[ServiceProcess] = []

    async def start(**settings: object) -> ServiceProcess:
        own_base = base if not started else free_port_base()
        folder = tmp_path / f"captions-{len(started)}"
        folder.mkdir()
        web_port = port("captions_web", own_base)
        settings = {
            "upstream_address": f"127.0.0.1:{port('gateway', base)}",
            "web_port": web_port,
            **settings,
        }
        process = ServiceProcess("captions", own_base, folder, **settings)
        process.web = f"http://127.0.0.1:{web_port}"  # type: ignore[attr-defined]
        process.start()
        started.append(process)
        await process.wait_ready()
        return process

    yield start
    for process in started:
        process.kill()
