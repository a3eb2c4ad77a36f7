"""The health check of the images asks a service over gRPC, as another process, if it serves."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.settings import port
from tests.processes import REPOSITORY, ServiceProcess, free_port_base


async def probe(base: int, certificates_dir: Path | None = None) -> tuple[int, str]:
    """Exit status and stderr of the probe, as in the container of a captions service."""

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.health_probe"],
            cwd=REPOSITORY,
            env={
                "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'protos'}",
                "SERVICE": "captions",
                "GLOSSA_CAPTIONS_GRPC_PORT": str(port("captions", base)),
                "GLOSSA_CERTIFICATES_DIR": str(certificates_dir or ""),
            },
            capture_output=True,
            text=True,
            check=False,
        )

    done = await asyncio.to_thread(run)
    return done.returncode, done.stderr


@pytest.fixture
async def captions(tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    service = ServiceProcess("captions", free_port_base(), tmp_path)
    service.start()
    await service.wait_ready()
    yield service
    service.kill()


def base_of(service: ServiceProcess) -> int:
    return int(service.address.rpartition(":")[2]) - port("captions", 0)


async def test_a_service_that_serves_is_well_until_its_loop_stands_still(
    captions: ServiceProcess,
) -> None:
    base = base_of(captions)
    assert await probe(base) == (0, "")
    captions.signal(signal.SIGSTOP)
    status, said = await probe(base)
    captions.signal(signal.SIGCONT)
    assert status == 1
    assert "not serving: " in said
    assert await probe(base) == (0, "")


async def test_a_service_that_is_not_there_is_not_well() -> None:
    status, said = await probe(free_port_base())
    assert (status, "UNAVAILABLE" in said) == (1, True)


async def test_it_speaks_tls_as_the_service_does(tmp_path: Path, certificates_dir: Path) -> None:
    base = free_port_base()
    service = ServiceProcess("captions", base, tmp_path, certificates_dir=certificates_dir)
    service.start()
    try:
        async with asyncio.timeout(30):
            while (await probe(base, certificates_dir))[0] != 0:
                await asyncio.sleep(0.1)
        assert (await probe(base))[0] == 1
    finally:
        service.kill()
