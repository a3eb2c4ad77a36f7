"""Versions: named by their content, whole or not there, and never changed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.errors import InvalidInput, NotFound, WrongState
from tests.training.versions import gate_file, small_export
from training.registry import registry
from training.rollout.versions import Registry


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
    for content, gate in (
        ("none", None),
        ("red", gate_file(tmp_path, passed=False)),
        ("overridden", gate_file(tmp_path, passed=False, override="Easter")),
        ("green", gate_file(tmp_path, passed=True)),
    ):
        export = small_export(tmp_path / content, content)
        may[content] = versions.add(export, cycle=1, gate=gate).may_be_deployed
    assert may == {"none": False, "red": False, "overridden": True, "green": True}
    listed = run("list", "--registry", tmp_path / "registry").output
    for word in ("no gate", "red", "overridden", "green"):
        assert word in listed


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
