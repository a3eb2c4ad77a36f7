"""What a model began as is known from the run that trained it, and its licence from there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.versions import small_export
from training.formats.lineage import base_of, licence_of, lineage_of
from training.run_folder import RunFolder, fingerprint


def _trained(out: Path, job: str, **options: object) -> Path:
    """As a trainer leaves it."""
    with RunFolder(out, job, options):
        (out / "model").mkdir()
        (out / "model" / "config.json").write_text("{}")
    return out / "model"


@pytest.mark.parametrize(
    ("job", "option"),
    [("marian", "model"), ("galore", "model"), ("distill logits", "student_folder")],
)
def test_a_fine_tuned_model_began_as_what_its_trainer_was_told(
    job: str, option: str, tmp_path: Path
) -> None:
    base = small_export(tmp_path / "base")
    model = _trained(tmp_path / "run", job, **{option: base})
    known = base_of(model, None, "")
    assert known == str(base)
    lineage = lineage_of(model, None, known)
    assert lineage["base"] == "glossa-en-es", "a name, and no path on one machine"
    assert lineage["run"]["job"] == job
    assert lineage["model_sha256"] == fingerprint(model)
    assert licence_of(model, known, "") == "Apache-2.0", "as its base's manifest says"


def test_what_is_told_comes_before_what_the_run_says(tmp_path: Path) -> None:
    model = _trained(tmp_path / "run", "marian", model="var/training/marian-4/model")
    assert base_of(model, None, "opus-mt-en-es") == "opus-mt-en-es"


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("google/translategemma-4b-it", "google/translategemma-4b-it"),
        ("opus-mt-en-es", "opus-mt-en-es"),
        ("var/training/marian-4/model", "marian-4"),
        ("/srv/models/opus-mt-en-es", "opus-mt-en-es"),
        ("FOLDER/run/model", "run"),
    ],
)
def test_a_base_is_known_by_a_name_that_holds_on_every_machine(
    base: str, name: str, tmp_path: Path
) -> None:
    model = _trained(tmp_path / "run", "marian")
    assert lineage_of(model, None, base.replace("FOLDER", str(tmp_path)))["base"] == name


def test_a_model_that_was_trained_from_nothing_has_no_base(tmp_path: Path) -> None:
    model = _trained(tmp_path / "run", "marian", model=None)
    assert base_of(model, None, "") == ""
    assert lineage_of(model, None, "")["base"] == ""


def test_an_adapter_began_as_the_model_that_it_names(tmp_path: Path) -> None:
    base = _trained(tmp_path / "base", "galore", model="gemma-a")
    adapter = tmp_path / "run" / "adapter"
    adapter.mkdir(parents=True)
    named = {"base_model_name_or_path": "gemma-b"}
    (adapter / "adapter_config.json").write_text(json.dumps(named))
    assert base_of(base, adapter, "") == "gemma-b"
    lineage = lineage_of(base, adapter, "gemma-b")
    assert lineage["run"] is None, "the base's own run is not the adapter's"
    assert lineage["adapter_sha256"] == fingerprint(adapter)
