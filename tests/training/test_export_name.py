"""What an export is told of who loads it: its folder's name, and the engine that speaks with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.marian import named_direction
from training.export import export


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("opus-mt-en-es", ("en", "es")),
        ("glossa-en-es_cycle3_20261121_1f2e3d4c", ("en", "es")),
        ("glossa", None),
        ("sunday-es", None),
    ],
)
def test_a_name_tells_the_languages_or_none(name: str, direction: tuple[str, str] | None) -> None:
    assert named_direction(name) == direction


@pytest.mark.parametrize("name", ["sunday", "glossa-es-en"])
def test_a_name_that_the_service_would_not_understand_is_refused_with_a_better_one(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text(json.dumps({"model_type": "marian"}))
    told = ["--model", str(tmp_path / "model"), "--to", "ctranslate2", "--licence", "x"]
    done = CliRunner().invoke(export, [*told, "--out", str(tmp_path / name)])
    assert done.exit_code == 2
    assert f"--out {tmp_path / name}-en-es" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_engine_that_does_not_speak_with_the_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text(json.dumps({"model_type": "marian"}))
    told = ["--model", str(tmp_path / "model"), "--to", "ctranslate2", "--licence", "x"]
    done = CliRunner().invoke(
        export, [*told, "--engine", "apertium", "--out", str(tmp_path / "glossa-en-es")]
    )
    assert done.exit_code == 2
    assert "--engine is one of embedded, marian" in done.output
