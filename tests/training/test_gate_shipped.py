"""The gate as it comes, held against a real evaluation of the model that comes with Glossa."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.model_files import SHIPPED
from services.mt.engine import OWN_MODEL
from training.evaluate import evaluate
from training.evaluation.thresholds import read_checks
from training.gate import THRESHOLDS, gate

MODEL = SHIPPED / OWN_MODEL
# Everyday language, which the sermon sentences of training.evaluate are not.
EVERYDAY = {
    "The bus leaves at 7:45 every morning.": "El autobús sale a las 7:45 todas las mañanas.",
    "We bought three chairs and a table.": "Compramos tres sillas y una mesa.",
    "My sister lives in a small house near the river.": "Mi hermana vive en una casa pequeña cerca "
    "del río.",
    "I do not know where he is.": "No sé dónde está.",
    "She was born in 1968.": "Ella nació en 1968.",
    "Tom forgot to close the window.": "Tom olvidó cerrar la ventana.",
    "It costs 25 dollars.": "Cuesta 25 dólares.",
    "Can you help me with this letter?": "¿Puedes ayudarme con esta carta?",
    "They have been friends for ten years.": "Son amigos desde hace diez años.",
    "Mary is reading a book in the kitchen.": "Mary está leyendo un libro en la cocina.",
    "The children played in the garden.": "Los niños jugaron en el jardín.",
    "I will call you tomorrow.": "Te llamaré mañana.",
}


@pytest.fixture
def everyday(tmp_path: Path) -> str:
    file = tmp_path / "everyday.tsv"
    file.write_text("".join(f"{source}\t{target}\n" for source, target in EVERYDAY.items()))
    return f"modern={file}"


def red(folder: Path, everyday: str, new: str) -> set[str]:
    """The figures that keep `new` from speaking in the place of the pair that comes with Glossa."""
    judged = CliRunner().invoke(
        evaluate,
        [
            *("--new", new, "--old", f"embedded:{MODEL}", "--set", everyday, "--no-as-heard"),
            *("--out", str(folder)),
        ],
    )
    assert judged.exit_code == 0, judged.output
    done = CliRunner().invoke(gate, ["--evaluation", str(folder), "--needs", "translation"])
    checks = json.loads((folder / "gate.json").read_text())["checks"]
    wanted = {check.says for check in read_checks(THRESHOLDS) if check.part == "translation"}
    optional = {check.says for check in read_checks(THRESHOLDS) if check.is_optional}
    assert {check["says"] for check in checks} >= wanted - optional, "each of them was measured"
    found = {check["value"] for check in checks if not check["passed"]}
    assert done.exit_code == (1 if found else 0)
    return found


def test_the_pair_that_comes_with_glossa_may_speak(everyday: str, tmp_path: Path) -> None:
    assert red(tmp_path / "judged", everyday, f"embedded:{MODEL}") == set()


def test_its_model_without_the_checks_may_not(everyday: str, tmp_path: Path) -> None:
    found = red(tmp_path / "judged", everyday, f"marian:{MODEL}")
    assert found >= {
        "translation.overall.plain.references.new",
        "edge_cases.shares.new.number",
        "edge_cases.shares.new.url",
    }


def test_rules_alone_may_not_take_its_place(everyday: str, tmp_path: Path) -> None:
    found = red(tmp_path / "judged", everyday, "apertium")
    assert found >= {
        "translation.overall.plain.chrf.low",
        "translation.sets.own-sermon.plain.chrf.high",
        "translation.registers.modern.plain.chrf.difference",
        "translation.overall.plain.terms.difference",
        "translation.overall.plain.references.new",
        "translation.overall.plain.names.difference",
    }
