"""A scripted journal and captions processes that follow it."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from services.settings import port
from tests.captions.upstream import ScriptedJournal
from tests.processes import ServiceProcess, free_port_base

StartCaptions = Callable[..., Awaitable[ServiceProcess]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of cert.pem, for localhost, of key.pem, and of locked.pem, a key with password."""
    folder = tmp_path_factory.mktemp("tls")
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    names = ("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1")
    files = ("-keyout", "key.pem", "-out", "cert.pem")
    lock = "ec -in key.pem -out locked.pem -aes128 -passout pass:secret"
    for command in ((*make.split(), *names, *files), lock.split()):
        subprocess.run(("openssl", *command), cwd=folder, check=True, capture_output=True)
    return folder


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
