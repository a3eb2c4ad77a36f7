"""Exports: each loads in the service's own engine and says what its source says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.model_folder import damages, read_manifest
from services.marian import FILES
from tests.tiny import pairs
from training.export import export

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentences that every tiny model knows by heart, with their translations."""
    path = tmp_path_factory.mktemp("known") / "known.tsv"
    path.write_text("".join(f"{english}\t{spanish}\n" for english, spanish in pairs.EN_ES))
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(export, [str(argument) for argument in arguments])


def check_of(folder: Path) -> dict[str, Any]:
    check: dict[str, Any] = json.loads((folder / "check.json").read_text())
    return check


@pytest.fixture(scope="module")
def marian_export(tmp_path_factory: pytest.TempPathFactory, known: Path) -> Path:
    from tests.tiny.marian import marian_hf

    out = tmp_path_factory.mktemp("exports") / "glossa-en-es"
    done = run(
        *("--model", marian_hf(), "--to", "ctranslate2", "--out", out),
        *("--check-with", known, "--licence", "Apache-2.0", "--base", "none"),
    )
    assert done.exit_code == 0, done.output
    return out


def test_a_marian_export_has_the_files_that_the_service_wants(marian_export: Path) -> None:
    for name in FILES:
        assert any((marian_export / option).exists() for option in name.split("|")), name


def test_an_export_is_compared_with_its_source(marian_export: Path) -> None:
    check = check_of(marian_export)
    assert check["count"] == len(pairs.EN_ES)
    assert check["identical_share"] > 0.9, "eight bits may change a word of so small a model"
    assert check["between"]["chrf"] > 97
    assert check["source"]["chrf"] > 90, "all but a text of two sentences, read one by one"
    assert {row["reference"] for row in check["rows"]} == {spanish for _, spanish in pairs.EN_ES}


def test_a_manifest_tells_each_file_and_where_the_model_comes_from(marian_export: Path) -> None:
    manifest = read_manifest(marian_export)
    assert manifest is not None
    assert (manifest.name, manifest.licence) == ("glossa-en-es", "Apache-2.0")
    assert damages(marian_export, manifest) == []
    assert manifest.lineage["engine"] == "marian"
    assert manifest.lineage["quantization"] == "int8"
    assert len(manifest.lineage["model_sha256"]) == 64
    assert manifest.lineage["check"]["count"] == len(pairs.EN_ES)


def test_what_was_not_wanted_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    from tests.tiny.marian import marian_hf

    model, out = ("--model", marian_hf()), tmp_path / "out"
    unlicensed = run(*model, "--to", "ctranslate2", "--out", out)
    assert unlicensed.exit_code == 2
    assert "--licence" in unlicensed.output
    unknown = run(*model, "--to", "ctranslate2", "--quantization", "int3", "--out", out)
    assert unknown.exit_code == 2
    assert "int8_float16" in unknown.output
    out.mkdir()
    there = run(*model, "--to", "ctranslate2", "--licence", "x", "--out", out)
    assert there.exit_code == 1
    assert list(tmp_path.iterdir()) == [out]
