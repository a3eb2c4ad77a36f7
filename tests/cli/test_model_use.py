"""`./glossa models use` and `rollback` on a real mt."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.cli.verb import run_verb
from tests.processes import ServiceProcess, free_port_base


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mt(tmp_path_factory) -> AsyncIterator[ServiceProcess]:  # type: ignore[no-untyped-def]
    process = ServiceProcess(
        "mt", free_port_base(), tmp_path_factory.mktemp("mt"), runtime="apertium"
    )
    process.start()
    try:
        await process.wait_ready()
        yield process
    finally:
        process.kill()


def test_a_model_is_taken_into_use_and_back(mt: ServiceProcess) -> None:
    nothing_yet = run_verb("models", "rollback", "mt", "--address", mt.address)
    assert nothing_yet.returncode == 1
    assert "NOTHING_TO_ROLL_BACK" in nothing_yet.stderr
    used = run_verb("models", "use", "mt", "--engine", "apertium", "--address", mt.address)
    assert used.returncode == 0, used.stderr
    assert used.stdout.startswith("mt final: apertium")
    back = run_verb("models", "rollback", "mt", "--address", mt.address)
    assert back.returncode == 0, back.stderr
    assert "before: apertium" in back.stdout


def test_a_model_that_is_not_there_leaves_the_old_one(mt: ServiceProcess, tmp_path: Path) -> None:
    done = run_verb("models", "use", "mt", "nope", "--engine", "marian", "--address", mt.address)
    assert done.returncode != 0
    assert any(reason in done.stderr for reason in ("MODEL_MISSING", "ENGINE_NOT_INSTALLED"))
    assert run_verb("translate", "--mt", mt.address, "God.").stdout == "Dios.\n"


def test_a_service_without_such_a_tier_says_so(mt: ServiceProcess) -> None:
    done = run_verb("models", "use", "mt", "x", "--tier", "partial", "--address", mt.address)
    assert done.returncode != 0
    assert "NO_SUCH_TIER" in done.stderr
