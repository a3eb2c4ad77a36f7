"""A new model put into the pair of the embedded profile: Apertium stays beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.model_files import SHIPPED
from tests.training.booth import NAME, TEXT, Booth, spoken
from tests.training.versions import gate_file, sealed
from training.rollout.versions import Registry, Version

pytestmark = pytest.mark.asyncio(loop_scope="session")

RULES = "apertium/eng-spa"
# The own model writes the address wrongly.
FOR_RULES = "Go to www.example.org and sign up."
BEFORE = f"marian/{NAME}"


@pytest_asyncio.fixture(loop_scope="session")
async def booth(tmp_path: Path) -> AsyncIterator[Booth]:
    made = Booth(tmp_path, "embedded")
    await made.start()
    yield made
    await made.stop()


def version(folder: Path, engine: str = "embedded", *, is_broken: bool = False) -> Version:
    """The shipped model once more, as an export that passed its gate."""
    export = folder / f"export-{engine}"
    shutil.copytree(SHIPPED / NAME, export)
    if is_broken:
        (export / "model.bin").write_bytes((export / "model.bin").read_bytes()[:5000])
    sealed(export, NAME, engine)
    gate = gate_file(export, passed=True)
    return Registry(folder / "registry").add(export, cycle=1, gate=gate)


async def speaking(booth: Booth) -> list[str]:
    """Who says a sentence that the own model can, and one that it cannot."""
    return [(await booth.mt.translate(text)).model for text in (TEXT, FOR_RULES)]


async def test_the_new_model_takes_the_place_of_the_old_one_and_apertium_stays(
    booth: Booth, tmp_path: Path
) -> None:
    new = version(tmp_path)
    assert await speaking(booth) == [BEFORE, RULES]
    async with spoken(booth.mt) as models:
        done = await booth.run(new.name)
    assert done.exit_code == 0, done.output
    assert set(models) == {BEFORE, f"marian/{new.host_folder}"}
    assert "or a restart brings that back" not in done.output
    await booth.stop()
    await booth.start()
    assert (await booth.in_use())[0] == "embedded"
    assert await speaking(booth) == [f"marian/{new.host_folder}", RULES], "after a restart, too"
    again = await booth.run(new.name)
    assert "already" in again.output
    assert len(booth.log()) == 1


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_going_back_goes_to_the_model_that_came_with_glossa(
    booth: Booth, tmp_path: Path, is_restarted: bool
) -> None:
    new = version(tmp_path)
    before = await booth.in_use()
    assert (await booth.run(new.name)).exit_code == 0
    if is_restarted:
        await booth.stop()
        await booth.start()
    back = await booth.run("--rollback", "--name", NAME)
    assert back.exit_code == 0, back.output
    assert await booth.in_use() == before
    assert await speaking(booth) == [BEFORE, RULES]
    assert booth.leads_to() is None
    assert "leads nowhere" not in back.output, "the name is that of the model before"
    again = await booth.run("--rollback", "--name", NAME)
    assert again.exit_code == 0, again.output
    assert await speaking(booth) == [f"marian/{new.host_folder}", RULES]


async def test_going_back_finds_the_model_among_directions_that_apertium_has_alone(
    booth: Booth, tmp_path: Path
) -> None:
    before = await booth.in_use()
    assert (await booth.run(version(tmp_path).name)).exit_code == 0
    (entry,) = booth.log()
    # As a service names them where more of Apertium's directions are installed.
    entry["before"]["model"] = f"eng-cat, {before[1]}, spa-eng"
    log = tmp_path / "registry/deployments.jsonl"
    log.write_text(f"{json.dumps(entry)}\n")
    await booth.stop()
    await booth.start()
    back = await booth.run("--rollback", "--name", NAME)
    assert back.exit_code == 0, back.output
    assert await booth.in_use() == before


async def test_a_model_that_cannot_be_loaded_does_not_leave_apertium_alone(
    booth: Booth, tmp_path: Path
) -> None:
    before = await booth.in_use()
    async with spoken(booth.mt) as models:
        done = await booth.run(version(tmp_path, is_broken=True).name)
    assert done.exit_code == 1
    assert set(models) == {BEFORE}
    assert await booth.in_use() == before
    assert booth.log()[-1]["outcome"] == "refused"
    assert booth.leads_to() is None


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
async def test_a_model_that_was_judged_alone_never_takes_the_place_of_the_pair(
    booth: Booth, tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = await booth.run(version(tmp_path, "marian").name, *options)
    assert done.exit_code == 1
    assert "--engine embedded" in done.output
    assert await speaking(booth) == [BEFORE, RULES]
    assert booth.log() == []
