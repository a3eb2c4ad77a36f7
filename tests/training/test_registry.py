"""Versions: named by their content, whole or not there, and never changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.errors import InvalidInput, NotFound, WrongState
from tests.training.versions import gate_file, small_export
from training.deploy import deploy
from training.registry import registry
from training.rollout.versions import Registry
from training.run_folder import fingerprint


def run(*arguments: object) -> Result:
    return CliRunner().invoke(registry, [str(argument) for argument in arguments])


def test_a_version_is_named_by_cycle_day_and_content(tmp_path: Path) -> None:
    versions = Registry(tmp_path / "registry")
    one = versions.add(small_export(tmp_path / "one", "a"), cycle=3)
    other = versions.add(small_export(tmp_path / "other", "b"), cycle=4)
    assert re.fullmatch(r"cycle3_\d{8}_[0-9a-f]{8}", one.name)
    assert one.name[-8:] != other.name[-8:]
    assert [version.name for version in versions.versions()] == [one.name, other.name]
    assert versions.find("cycle3").name == one.name
    assert versions.find("latest").name == other.name
    assert one.host_folder == f"glossa-en-es_{one.name}"
    assert (one.service, one.engine) == ("mt", "marian")


def test_the_same_files_are_no_second_version(tmp_path: Path) -> None:
    versions = Registry(tmp_path / "registry")
    first = versions.add(small_export(tmp_path / "one"), cycle=1)
    with pytest.raises(WrongState, match=first.name):
        versions.add(small_export(tmp_path / "two"), cycle=2)


def test_an_export_that_is_damaged_never_gets_in(tmp_path: Path) -> None:
    export = small_export(tmp_path / "one")
    (export / "model.bin").write_text("WEIGHTS")
    versions = Registry(tmp_path / "registry")
    with pytest.raises(InvalidInput, match=r"model\.bin"):
        versions.add(export, cycle=1)
    (export / "glossa-manifest.json").unlink()
    with pytest.raises(InvalidInput, match=r"training\.export"):
        versions.add(export, cycle=1)
    assert versions.versions() == []


def test_what_breaks_on_the_way_leaves_nothing_behind(tmp_path: Path) -> None:
    versions = Registry(tmp_path / "registry")
    no_gate = tmp_path / "gate.json"
    no_gate.write_text("{")
    with pytest.raises(InvalidInput, match=r"gate\.json"):
        versions.add(small_export(tmp_path / "one"), cycle=1, gate=no_gate)
    with pytest.raises(InvalidInput, match="cannot add"):
        versions.add(small_export(tmp_path / "two"), cycle=1, evaluation=tmp_path / "none.json")
    assert list((tmp_path / "registry").iterdir()) == []


def test_files_of_a_version_cannot_be_written_and_changes_are_told(tmp_path: Path) -> None:
    version = Registry(tmp_path / "registry").add(small_export(tmp_path / "one"), cycle=1)
    weights = version.model / "model.bin"
    assert weights.stat().st_mode & 0o222 == 0
    shown = run("show", "cycle1", "--registry", tmp_path / "registry")
    assert shown.exit_code == 0
    assert json.loads(shown.output)["version"] == version.name
    weights.chmod(0o644)
    weights.write_text("WEIGHTS")
    shown = run("show", "cycle1", "--registry", tmp_path / "registry")
    assert shown.exit_code == 2
    assert "damaged" in shown.output


def test_a_version_may_be_deployed_by_its_gate_or_by_who_overrides_it(tmp_path: Path) -> None:
    versions = Registry(tmp_path / "registry")
    may = {}
    exports = {
        content: small_export(tmp_path / content, content)
        for content in ("none", "red", "overridden", "green")
    }
    gates = {
        "red": gate_file(exports["red"], passed=False),
        "overridden": gate_file(exports["overridden"], passed=False, override="Easter"),
        "green": gate_file(exports["green"], passed=True),
    }
    for content, export in exports.items():
        version = versions.add(export, cycle=1, gate=gates.get(content))
        may[content] = version.may_be_deployed
    assert may == {"none": False, "red": False, "overridden": True, "green": True}
    listed = run("list", "--registry", tmp_path / "registry").output
    for word in ("no gate", "red", "overridden", "green"):
        assert word in listed


def test_a_gate_opens_the_way_only_for_the_model_that_it_judged(tmp_path: Path) -> None:
    export, other = (small_export(tmp_path / name, name) for name in ("one", "other"))
    foreign = gate_file(other, passed=True)
    told = ("add", "--export", export, "--cycle", 1, "--registry", tmp_path / "registry")
    done = run(*told, "--gate", foreign)
    assert done.exit_code == 1
    assert f"training.evaluate --new marian:{export}" in done.output
    assert Registry(tmp_path / "registry").versions() == []
    own = run(*told, "--gate", gate_file(export, passed=True))
    assert own.exit_code == 0, own.output


def test_a_version_whose_gate_was_changed_for_another_models_is_not_deployed(
    tmp_path: Path,
) -> None:
    export, other = (small_export(tmp_path / name, name) for name in ("one", "other"))
    gate = gate_file(export, passed=True)
    version = Registry(tmp_path / "registry").add(export, cycle=1, gate=gate)
    assert version.may_be_deployed
    kept = version.folder / "gate.json"
    kept.unlink()
    kept.write_bytes(gate_file(other, passed=True).read_bytes())
    told = ("latest", "--registry", tmp_path / "registry", "--host", f"local:{tmp_path}@[::1]:9")
    done = CliRunner().invoke(deploy, [str(each) for each in told])
    assert done.exit_code == 1
    assert "its gate judged another model" in done.output
    assert "no gate" in run("list", "--registry", tmp_path / "registry").output


def test_a_gate_from_before_gates_named_their_model_is_told_as_such(tmp_path: Path) -> None:
    export = small_export(tmp_path / "one")
    gate = gate_file(export, passed=True)
    version = Registry(tmp_path / "registry").add(export, cycle=1, gate=gate)
    earlier = json.loads(gate.read_text())
    del earlier["judged"]
    (version.folder / "gate.json").chmod(0o644)
    for path in (gate, version.folder / "gate.json"):
        path.write_text(json.dumps(earlier))
    assert "old gate" in run("list", "--registry", tmp_path / "registry").output
    told = ("latest", "--registry", tmp_path / "registry", "--host", f"local:{tmp_path}@[::1]:9")
    done = CliRunner().invoke(deploy, [str(each) for each in told])
    assert done.exit_code == 1
    assert "before gates named the model" in done.output
    assert f"delete {version.folder}" in done.output
    assert "judged another model" not in done.output
    with pytest.raises(WrongState, match="before gates named the model"):
        Registry(tmp_path / "other").add(export, cycle=1, gate=gate)


@pytest.mark.parametrize(("engine", "judged_by"), [("marian", "embedded"), ("embedded", "marian")])
def test_a_gate_is_of_a_model_as_one_engine_speaks_with_it(
    engine: str, judged_by: str, tmp_path: Path
) -> None:
    export = small_export(tmp_path / "one", engine=engine)
    gate = gate_file(export, passed=True, spec=f"{judged_by}:{export}")
    with pytest.raises(WrongState, match=f"{engine}:{export}"):
        Registry(tmp_path / "registry").add(export, cycle=1, gate=gate)


def test_a_recogniser_has_its_own_gate_too(tmp_path: Path) -> None:
    export, other = (
        small_export(tmp_path / name, name, engine="faster_whisper") for name in ("one", "other")
    )
    versions = Registry(tmp_path / "registry")
    with pytest.raises(WrongState, match=f"--stt-new faster_whisper:{export}"):
        versions.add(export, cycle=1, gate=gate_file(other, passed=True))
    version = versions.add(export, cycle=1, gate=gate_file(export, passed=True))
    assert version.may_be_deployed


def test_what_an_export_was_made_of_may_be_judged_where_its_own_check_is_gated_too(
    tmp_path: Path,
) -> None:
    source = tmp_path / "model"
    source.mkdir()
    (source / "config.json").write_text("{}")
    export, other = (
        small_export(tmp_path / name, name, model_sha256=fingerprint(source))
        for name in ("int8", "float16")
    )
    judged = f"transformers:{source}"
    versions = Registry(tmp_path / "registry")
    for checks in (None, other):
        gate = gate_file(export, passed=True, spec=judged, checks=checks)
        with pytest.raises(WrongState, match="--export"):
            versions.add(export, cycle=1, gate=gate)
    gate = gate_file(export, passed=True, spec=judged, checks=export)
    assert versions.add(export, cycle=1, gate=gate).may_be_deployed


def test_a_check_of_another_export_is_not_what_an_export_is_gated_by(tmp_path: Path) -> None:
    export, other = (small_export(tmp_path / name, name) for name in ("one", "other"))
    gate = gate_file(export, passed=True, checks=other)
    assert not json.loads(gate.read_text())["may_deploy"]
    with pytest.raises(WrongState, match="another model"):
        Registry(tmp_path / "registry").add(export, cycle=1, gate=gate)


def test_a_person_may_take_a_model_that_was_not_judged_and_it_is_kept_why(tmp_path: Path) -> None:
    export, other = (small_export(tmp_path / name, name) for name in ("one", "other"))
    spec = f"marian:{other}"
    red = gate_file(export, passed=True, spec=spec, checks=export)
    (outcome,) = [each for each in json.loads(red.read_text())["checks"] if not each["passed"]]
    assert outcome["value"] == "export.is_what_was_judged"
    why = "the same weights, named anew"
    overridden = gate_file(export, passed=True, override=why, spec=spec, checks=export)
    version = Registry(tmp_path / "registry").add(export, cycle=1, gate=overridden)
    assert version.may_be_deployed
    assert version.gate is not None
    assert version.gate["override"]["why"] == why


@pytest.mark.parametrize(
    "spec", ["apertium", "transformers:BASE", "marian:CONFIG"], ids=["none", "base", "file"]
)
def test_neither_a_model_without_files_nor_an_adapters_base_is_an_export(
    spec: str, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    base.mkdir()
    (base / "config.json").write_text("{}")
    export = small_export(tmp_path / "one", model_sha256=fingerprint(base), adapter_sha256="1" * 64)
    spec = spec.replace("BASE", str(base)).replace("CONFIG", str(export / "config.json"))
    gate = json.loads(gate_file(export, passed=True, spec=spec, checks=export).read_text())
    assert not gate["may_deploy"]


def test_a_name_that_several_have_is_none(tmp_path: Path) -> None:
    versions = Registry(tmp_path / "registry")
    with pytest.raises(NotFound, match="none yet"):
        versions.find("latest")
    for content in ("a", "b"):
        versions.add(small_export(tmp_path / content, content), cycle=1)
    with pytest.raises(NotFound, match="2 versions"):
        versions.find("cycle1")


def test_where_tells_when_nothing_is_anywhere(tmp_path: Path) -> None:
    done = run("where", "--registry", tmp_path)
    assert done.exit_code == 0
    assert "nothing" in done.output
