"""Versions put into a running mt while it translates: taken, refused, undone, and put back."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from click.testing import CliRunner

from tests.training.booth import NAME, TEXT, TRANSLATED, Booth, spoken
from tests.training.versions import gate_file, sealed
from training.deploy import deploy
from training.rollout.versions import Registry, Version

pytestmark = [pytest.mark.training, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models of one name: two that do, one that cannot be loaded, one that never says Jesús."""
    from tests.tiny.marian import marian_hf
    from training.formats import FORMATS

    folder = tmp_path_factory.mktemp("exports")
    convert = FORMATS["ctranslate2"].convert
    convert(marian_hf(), folder / "first", "int8")
    convert(marian_hf(), folder / "second", "float32")
    shutil.copytree(folder / "first", folder / "broken")
    (folder / "broken/model.bin").write_bytes((folder / "first/model.bin").read_bytes()[:5000])
    convert(_forgetful(folder / "forgetful-hf"), folder / "forgetful", "int8")
    names = ("first", "second", "broken", "forgetful")
    return {name: sealed(folder / name, NAME) for name in names}


def _forgetful(out: Path) -> Path:
    from transformers import MarianMTModel

    from tests.tiny.marian import marian_hf

    model: Any = MarianMTModel.from_pretrained(marian_hf())
    pieces: dict[str, int] = json.loads((marian_hf() / "vocab.json").read_text())
    for piece, number in pieces.items():
        if "J" in piece:
            model.final_logits_bias[0, number] = -100
    model.save_pretrained(out)
    for name in ("source.spm", "target.spm", "vocab.json", "tokenizer_config.json"):
        shutil.copyfile(marian_hf() / name, out / name)
    return out


@pytest.fixture
def registry(tmp_path: Path, exports: dict[str, Path]) -> dict[str, Version]:
    versions = Registry(tmp_path / "registry")
    return {
        name: versions.add(export, cycle=number, gate=gate_file(export, passed=True))
        for number, (name, export) in enumerate(exports.items(), start=1)
    }


@pytest_asyncio.fixture(loop_scope="session")
async def booth(tmp_path: Path, exports: dict[str, Path]) -> AsyncIterator[Booth]:
    made = Booth(tmp_path)
    shutil.copytree(exports["first"], made.models_dir / "opus-mt-en-es")
    await made.start("opus-mt-en-es")
    yield made
    await made.stop()


async def test_a_version_is_taken_into_use_while_people_speak_and_after_a_restart(
    booth: Booth, registry: dict[str, Version]
) -> None:
    version = registry["second"]
    async with spoken(booth.mt) as models:
        done = await booth.run(version.name)
    assert done.exit_code == 0, done.output
    assert models[0] == "marian/opus-mt-en-es"
    assert models[-1] == f"marian/{version.host_folder}"
    assert booth.leads_to() == version.host_folder
    (entry,) = booth.log()
    assert (entry["outcome"], entry["version"]) == ("deployed", version.name)
    assert entry["before"] == {"engine": "marian", "model": "opus-mt-en-es"}
    assert len(entry["smoke"]) == 4
    await booth.stop()
    await booth.start(NAME)
    assert await booth.model() == version.host_folder, "the link's name tells no version"


async def test_going_back_goes_to_the_version_before_and_again_to_the_one_after(
    booth: Booth, registry: dict[str, Version]
) -> None:
    first, second = registry["first"], registry["second"]
    for version in (first, second):
        done = await booth.run(version.name)
        assert done.exit_code == 0, done.output
    async with spoken(booth.mt):
        back = await booth.run("--rollback", "--name", NAME)
    assert back.exit_code == 0, back.output
    assert await booth.model() == booth.leads_to() == first.host_folder
    assert booth.log()[-1]["version"] == first.name
    again = await booth.run("--rollback", "--name", NAME)
    assert again.exit_code == 0, again.output
    assert await booth.model() == booth.leads_to() == second.host_folder


async def test_the_first_version_goes_back_to_what_was_there_also_after_a_restart(
    booth: Booth, registry: dict[str, Version]
) -> None:
    await booth.run(registry["second"].name)
    await booth.stop()
    await booth.start(NAME)
    back = await booth.run("--rollback", "--name", NAME)
    assert back.exit_code == 0, back.output
    assert await booth.model() == "opus-mt-en-es"
    assert booth.leads_to() is None


async def test_a_version_that_cannot_be_loaded_changes_nothing(
    booth: Booth, registry: dict[str, Version]
) -> None:
    await booth.run(registry["first"].name)
    async with spoken(booth.mt):
        done = await booth.run(registry["broken"].name)
    assert done.exit_code == 1
    assert await booth.model() == booth.leads_to() == registry["first"].host_folder
    assert booth.log()[-1]["outcome"] == "refused"
    assert "load" in booth.log()[-1]["why"]


async def test_a_version_that_fails_its_sentences_is_rolled_back(
    booth: Booth, registry: dict[str, Version], tmp_path: Path
) -> None:
    await booth.run(registry["first"].name)
    smoke = tmp_path / "smoke.tsv"
    smoke.write_text(f"{TEXT}\tJesús\nLet us pray.\n")
    async with spoken(booth.mt):
        done = await booth.run(registry["forgetful"].name, "--smoke", smoke)
    assert done.exit_code == 1
    assert "Jesús" in done.output
    assert await booth.model() == booth.leads_to() == registry["first"].host_folder
    assert (await booth.mt.translate(TEXT)).text == TRANSLATED
    assert [entry["outcome"] for entry in booth.log()] == ["deployed", "rolled_back"]


async def test_a_version_that_is_in_use_already_is_left_alone(
    booth: Booth, registry: dict[str, Version]
) -> None:
    for _ in range(2):
        done = await booth.run(registry["second"].name)
        assert done.exit_code == 0, done.output
    assert "already" in done.output
    assert len(booth.log()) == 1, "going back goes to what was before it"


async def test_a_copy_that_was_tampered_with_is_refused(
    booth: Booth, registry: dict[str, Version]
) -> None:
    version = registry["second"]
    shutil.copytree(version.model, booth.models_dir / version.host_folder)
    weights = booth.models_dir / version.host_folder / "model.bin"
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    done = await booth.run(version.name)
    assert done.exit_code == 1
    assert "model.bin" in done.output
    assert await booth.model() == "opus-mt-en-es"
    assert booth.leads_to() is None


async def test_a_registered_file_that_changed_never_reaches_the_service(
    booth: Booth, registry: dict[str, Version]
) -> None:
    version = registry["second"]
    (version.model / "config.json").chmod(0o644)
    (version.model / "config.json").write_text("{}")
    done = await booth.run(version.name)
    assert done.exit_code == 1
    assert "config.json" in done.output
    assert not (booth.models_dir / version.host_folder).exists()
    assert await booth.model() == "opus-mt-en-es"


async def test_a_dry_run_says_what_it_would_do_and_changes_nothing(
    booth: Booth, registry: dict[str, Version]
) -> None:
    before = sorted(path.name for path in booth.models_dir.rglob("*"))
    done = await booth.run(registry["second"].name, "--dry-run")
    assert done.exit_code == 0, done.output
    assert registry["second"].host_folder in done.output
    assert sorted(path.name for path in booth.models_dir.rglob("*")) == before
    assert await booth.model() == "opus-mt-en-es"
    assert booth.log() == []


async def test_a_model_of_the_same_name_is_never_replaced(
    booth: Booth, registry: dict[str, Version]
) -> None:
    done = await booth.run(registry["second"].name, "--name", "opus-mt-en-es")
    assert done.exit_code == 1
    assert "--name" in done.output
    assert not (booth.models_dir / "opus-mt-en-es").is_symlink()


@pytest.mark.parametrize("gate", ["red", "none"])
async def test_no_version_is_deployed_past_its_gate(
    booth: Booth, exports: dict[str, Path], tmp_path: Path, gate: str
) -> None:
    red = gate_file(exports["second"], passed=False) if gate == "red" else None
    version = Registry(tmp_path / "registry").add(exports["second"], cycle=1, gate=red)
    done = await booth.run(version.name)
    assert done.exit_code == 1
    assert "gate" in done.output
    assert await booth.model() == "opus-mt-en-es"


async def test_a_person_may_override_the_gate_and_the_log_keeps_why(
    booth: Booth, exports: dict[str, Path], tmp_path: Path
) -> None:
    gate = gate_file(exports["second"], passed=False, override="It is Easter.")
    version = Registry(tmp_path / "registry").add(exports["second"], cycle=1, gate=gate)
    done = await booth.run(version.name)
    assert done.exit_code == 0, done.output
    assert booth.log()[-1]["override"]["why"] == "It is Easter."


async def test_a_service_that_is_not_there_is_named(
    registry: dict[str, Version], tmp_path: Path
) -> None:
    done = await asyncio.to_thread(
        CliRunner().invoke,
        deploy,
        [
            *(registry["first"].name, "--registry", str(tmp_path / "registry")),
            *("--host", f"local:{tmp_path}@127.0.0.1:9"),
        ],
    )
    assert done.exit_code == 1
    assert "127.0.0.1:9" in done.output
