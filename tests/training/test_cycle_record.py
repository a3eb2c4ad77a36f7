"""What a cycle keeps: what is done, what it learns from, and what it is judged by."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from services.errors import WrongState
from tests.training.versions import gate_file, small_export
from training.collected.forgetting import forget
from training.collected.new_sermons import count_pairs, whole_snapshots
from training.cycling.judges import judges, write_judges
from training.cycling.plan import Plan, read_plan
from training.cycling.record import CycleRecord, next_number, unfinished
from training.cycling.steps import CycleSteps
from training.rollout.versions import Registry
from training.rows import Row, write_rows
from training.run_folder import RunFolder


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def row(text: str, kind: Any = "sermon") -> Row:
    return Row(text, text, kind=kind, origin="test")


def test_a_timer_goes_on_with_what_was_cut_off_and_not_with_what_has_ended(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    plan = read_plan(plan_file())
    cycles = plan_folder / "var/cycles"
    one = CycleRecord.begin(cycles / "20261116", plan, 1)
    assert unfinished(cycles, plan).folder == one.folder  # type: ignore[union-attr]
    for status in ("done", "red", "nothing_new", "stopped"):
        one.end(status)
        assert unfinished(cycles, plan) is None
    one.end("failed")
    two = CycleRecord.begin(
        cycles / "20261123", plan, next_number(cycles, plan_folder / "registry")
    )
    assert two.number == 2
    two.end("done")
    assert unfinished(cycles, plan) is None, "a newer one has ended"


def test_a_done_step_is_not_gone_on_from_by_another_plan(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    record = CycleRecord.begin(plan_folder / "cycle", read_plan(plan_file()), 1)
    assert not record.begin_step("mix", ["x"])
    changed = read_plan(plan_file(mix="pairs = 10"))
    CycleRecord.read(record.folder).resume(changed)  # it was not done yet
    record.end_step("mix", "done")
    with pytest.raises(WrongState, match=r"\[mix\] of .* has changed"):
        CycleRecord.read(record.folder).resume(changed)
    other = plan_file()
    other.write_text(other.read_text().replace("glossa-en-es", "another"))
    with pytest.raises(WrongState, match="the cycle of another model"):
        CycleRecord.read(record.folder).resume(read_plan(other))


def test_a_step_knows_whether_it_was_begun_in_the_same_way(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    record = CycleRecord.begin(plan_folder / "cycle", read_plan(plan_file()), 1)
    assert not record.begin_step("train", ["--steps", "1"])
    again = CycleRecord.read(record.folder)
    assert again.begin_step("train", ["--steps", "1"])
    assert not again.begin_step("train", ["--steps", "2"])


def test_a_step_that_read_what_was_forgotten_is_begun_anew(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    cycle_folder = plan_folder / "cycles/1"
    steps_of = CycleSteps(read_plan(plan_file()), cycle_folder, 1)
    assert not steps_of.has_lost("train")
    mix = cycle_folder / "mix/train.jsonl"
    with RunFolder(mix.parent, "mix", {}):
        write_rows(mix, [Row("Amen.", "Amén.", "sermon", "s", "20261122-1")])
    with RunFolder(cycle_folder / "train", "marian", {}, inputs={"train": mix}):
        pass
    assert not steps_of.has_lost("train")
    forget("20261122-1", [plan_folder])
    assert steps_of.has_lost("train")
    assert not steps_of.has_lost("gate"), "it has no folder of its own"


def test_no_password_is_kept_and_a_new_one_is_no_other_plan(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    def plan(password: str) -> Plan:
        url = f"redis://trainer:{password}@127.0.0.1:6379/0"
        return read_plan(plan_file(more=f'[snapshot]\nredis = "{url}"\n'))

    record = CycleRecord.begin(plan_folder / "cycle", plan("hunter2"), 1)
    steps_of = CycleSteps(plan("hunter2"), record.folder, 1)
    assert "trainer:hunter2" in option(steps_of.command("snapshot"), "--redis")
    record.begin_step("snapshot", steps_of.command("snapshot"))
    record.end_step("snapshot", "done")
    kept = (record.folder / "cycle.json").read_text()
    assert "hunter2" not in kept
    assert kept.count("redis://trainer@127.0.0.1:6379/0") == 2
    CycleRecord.read(record.folder).resume(plan("n3w"))
    assert "n3w" not in (record.folder / "cycle.json").read_text()
    again = CycleRecord.read(record.folder)
    assert again.begin_step("snapshot", steps_of.command("snapshot")), "it is the same command"


def test_numbers_go_on_from_those_of_versions(plan_folder: Path) -> None:
    registry = Registry(plan_folder / "registry")
    export = small_export(plan_folder / "export")
    registry.add(export, cycle=7, gate=gate_file(export, passed=True))
    assert next_number(plan_folder / "cycles", registry.folder) == 8


def test_what_is_in_use_is_to_be_beaten_and_not_what_was_there_before(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    plan = read_plan(plan_file(more='[evaluate]\nold = "apertium"\n[registry]\nregistry = "r"\n'))
    registry = Registry(plan_folder / "r")
    steps_of = CycleSteps(plan, plan_folder / "cycle", 2)
    assert option(steps_of.command("evaluate"), "--old") == "apertium"
    version = registry.add(small_export(plan_folder / "export"), cycle=1)
    entry = {"host": "local", "models_dir": "m", "tier": "final", "model": "glossa-en-es"}
    entry |= {"outcome": "deployed", "version": version.name, "at": "2026-11-22T00:00:00Z"}
    (registry.folder / "deployments.jsonl").write_text(json.dumps(entry) + "\n")
    command = steps_of.command("evaluate")
    assert command.count("--old") == 1
    assert Path(option(command, "--old")).name == "model"
    assert option(command, "--old").startswith("marian:")
    assert version.name in option(command, "--old")


def test_pairs_are_counted_where_they_may_be_trained_on(plan_folder: Path) -> None:
    parts = (("b", "en-es", 3), ("a", "en-es", 2), ("c", "en-es.test", 4), ("d", "en-es.dev", 1))
    for name, part, count in parts:
        write_rows(plan_folder / name / part / "pairs.jsonl", [row(f"{n}") for n in range(count)])
        (plan_folder / name / "manifest.json").write_text("{}")
    (plan_folder / ".e.part/en-es").mkdir(parents=True)
    names = whole_snapshots(plan_folder)
    assert names == ["a", "b", "c", "d"]
    assert count_pairs(plan_folder, names) == 5


def test_each_register_has_judges_of_its_own(plan_folder: Path) -> None:
    write_judges(plan_folder, [row("verse", "bible"), row("amen"), row("term", "glossary")])
    assert judges(plan_folder) == [
        f"bible:biblical={plan_folder}/bible.jsonl",
        f"held-out:sermon={plan_folder}/held-out.jsonl",
    ]


def test_an_export_that_is_there_is_judged_with_the_engine_that_it_was_made_for(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    steps = CycleSteps(read_plan(plan_file()), plan_folder / "cycle", 1)
    assert option(steps.command("evaluate"), "--new") == f"embedded:{steps.export}"
    small_export(steps.export, engine="marian")
    assert option(steps.command("evaluate"), "--new") == f"marian:{steps.export}"
