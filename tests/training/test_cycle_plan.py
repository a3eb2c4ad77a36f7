"""A cycle before it begins, and one with nothing to do: its plan, its lock, its folder."""

from __future__ import annotations

import json
import multiprocessing
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.errors import GlossaError, InvalidInput, WrongState
from services.settings import port
from tests.collector.redis_process import RedisProcess
from tests.processes import REPOSITORY, free_port_base
from tests.training.versions import gate_file, small_export
from training.collected.forgetting import forget
from training.collected.new_sermons import count_pairs, trainable, whole_snapshots
from training.cycle import cycle
from training.cycling.gpu_lock import gpu_lock
from training.cycling.judges import judges, write_judges
from training.cycling.mlflow_log import check_mlflow
from training.cycling.plan import read_plan
from training.cycling.record import CycleRecord, next_number, unfinished
from training.cycling.step_process import run_job
from training.cycling.steps import CycleSteps
from training.rollout.versions import Registry
from training.rows import Row, write_rows
from training.run_folder import RunFolder

EXAMPLE = REPOSITORY / "training/cycle.toml"
STEPS = ("snapshot", "mix", "noise", "train", "export", "evaluate", "gate", "registry", "deploy")
SMALL = """
trainer = "marian"
model_name = "glossa-en-es"
{head}
[mix]
recipe = "first"
bible = "bible"
{mix}
[export]
licence = "Apache-2.0"
{more}
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cycle, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command is run, with the one file that the example wants to be there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var/data/tatoeba").mkdir(parents=True)
    (tmp_path / "var/data/tatoeba/dev.tsv").write_text("God is love.\tDios es amor.\n")
    return tmp_path


@pytest.fixture
def plan_file(folder: Path) -> Callable[..., Path]:
    def write(*, head: str = "", mix: str = "", more: str = "") -> Path:
        path = folder / "church.toml"
        path.write_text(SMALL.format(head=head, mix=mix, more=more))
        return path

    return write


def commands(output: str) -> dict[str, list[str]]:
    return {line.split()[0]: shlex.split(line)[1:] for line in output.splitlines()}


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_example_shows_every_step_and_writes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    done = run("--dry-run")
    assert done.exit_code == 0, done.output
    told = commands(done.output)
    assert tuple(told) == STEPS
    assert told["train"][:3] == ["python", "-m", "training.marian"]
    assert option(told["train"], "--data") == option(told["noise"], "--out"), "noise is learned"
    assert "--no-muon" in told["train"]
    assert option(told["evaluate"], "--new") == f"marian:{option(told['export'], '--out')}"
    assert option(told["gate"], "--export") == option(told["export"], "--out")
    assert option(told["registry"], "--gate") == option(told["gate"], "--out")
    assert sorted(folder.rglob("*")) == before


def test_what_is_shown_can_be_given_by_hand(folder: Path) -> None:
    plan = read_plan(EXAMPLE)
    for step, command in commands(run("--dry-run").output).items():
        known = {name for each in plan.command(step).params for name in each.opts}
        assert {part for part in command if part.startswith("--")} <= known
        assert command[2] == plan.job(step)


def test_a_step_that_the_plan_has_no_table_for_is_left_out(plan_file: Callable[..., Path]) -> None:
    told = commands(run("--plan", plan_file(), "--dry-run").output)
    assert tuple(told) == tuple(step for step in STEPS if step not in ("noise", "deploy"))
    assert option(told["train"], "--data") == option(told["mix"], "--out")


@pytest.mark.parametrize(
    ("arguments", "last"), [(("--until", "train"), "train"), (("--no-deploy",), "registry")]
)
def test_a_cycle_may_end_early(folder: Path, arguments: tuple[str, ...], last: str) -> None:
    assert list(commands(run("--dry-run", *arguments).output))[-1] == last


def test_a_plan_takes_an_address_from_the_environment(folder: Path) -> None:
    assert read_plan(EXAMPLE, {}).table("deploy")["host"] == ["local:var/models@127.0.0.1:7304"]
    composed = read_plan(EXAMPLE, {"GLOSSA_TRAINING_MT_ADDRESS": "mt:7304"})
    assert composed.table("deploy")["host"] == ["local:var/models@mt:7304"]


def test_options_become_what_a_job_is_told(plan_file: Callable[..., Path]) -> None:
    more = '[evaluate]\nset = ["a:modern=x", "b:sermon=y"]\nown_sermon = false\nlimit = 7\n'
    plan = read_plan(plan_file(more=more + "[train]\nno_muon = false\n"))
    assert plan.arguments("evaluate") == [
        *("--set", "a:modern=x", "--set", "b:sermon=y"),
        *("--no-own-sermon", "--limit", "7"),
    ]
    assert plan.arguments("train") == []


def test_an_adapter_is_merged_into_the_model_that_it_was_trained_for(
    plan_file: Callable[..., Path], folder: Path
) -> None:
    (folder / "base").mkdir()
    path = plan_file(more='[train]\nmodel = "base"\n')
    path.write_text(path.read_text().replace('"marian"', '"gemma"'))
    told = commands(run("--plan", path, "--dry-run").output)
    assert option(told["export"], "--model") == "base"
    assert option(told["export"], "--adapter").endswith("train/adapter")
    assert option(told["export"], "--to") == "gguf"
    assert option(told["evaluate"], "--new").startswith("gguf:")


def test_a_recogniser_has_clips_in_the_place_of_pairs(folder: Path) -> None:
    for name in ("base", "sermons"):
        (folder / name).mkdir()
    (folder / "ears.toml").write_text(
        'trainer = "whisper"\nmodel_name = "whisper-church"\n[audio]\nrecordings = ["sermons"]\n'
        '[train]\nmodel = "base"\n[evaluate]\nspeech = ["church=sermons"]\n'
    )
    told = commands(run("--plan", "ears.toml", "--dry-run").output)
    assert tuple(told) == ("audio", "train", "export", "evaluate", "gate", "registry")
    assert option(told["train"], "--clips") == option(told["audio"], "--out")
    assert option(told["evaluate"], "--stt-new").startswith("faster_whisper:")
    assert option(told["gate"], "--needs") == "recognition"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"head": 'minimum_pairs = "ten"'}, "minimum_pairs must be a whole number"),
        ({"head": "minimun_pairs = 10"}, "did you mean 'minimum_pairs'?"),
        ({"more": "[trian]\nsteps = 1"}, "did you mean 'train'?"),
        ({"mix": "pair = 10"}, "training.mix has no option 'pair' for [mix]; did you mean 'pairs'"),
        ({"mix": "pairs = 0"}, "pairs in [mix]: 0 is not in the range x>=1"),
        ({"mix": "pairs = [1, 2]"}, "pairs in [mix] is one value, no list"),
        ({"mix": "pairs = true"}, "pairs in [mix] is to be a text, a number"),
        ({"mix": 'out = "x"'}, "out in [mix] is the cycle's own"),
        ({"more": '[train]\nno_muon = "yes"'}, "no_muon in [train] is to be true or false"),
        ({"more": "[deploy]\ntier = 'final'"}, "[deploy] names no host"),
        ({"more": "[gate]\nneeds = 'export'"}, "needs in [gate] is the cycle's own"),
        ({"more": "[noise\n"}, "it cannot be read"),
    ],
)
def test_a_mistake_in_a_plan_is_told_before_anything_is_done(
    plan_file: Callable[..., Path], folder: Path, change: dict[str, str], said: str
) -> None:
    done = run("--plan", plan_file(**change), "--out", "cycle")
    assert done.exit_code == 2
    assert said in done.output
    assert not (folder / "cycle").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('trainer = "opus"', "'opus' is none of marian, gemma, whisper"),
        ('trainer = "marian"', "model_name must be what the profiles call the model"),
        ('trainer = "marian"\nmodel_name = "x"', "[mix] lacks recipe: base: all of everything"),
        (
            'trainer = "whisper"\nmodel_name = "x"\n[export]\nto = "gguf"\n[train]\nmodel = "/tmp"',
            "whisper makes no model that goes to gguf",
        ),
        (
            'trainer = "gemma"\nmodel_name = "x"\n[mix]\nrecipe = "first"\nbible = "b"\n[train]\n'
            'model = "google/translategemma"',
            "google/translategemma is no folder",
        ),
    ],
)
def test_a_plan_that_does_not_fit_together_is_refused(folder: Path, text: str, said: str) -> None:
    (folder / "church.toml").write_text(text)
    done = run("--plan", "church.toml")
    assert done.exit_code == 2
    assert said in done.output


def test_what_was_asked_for_wrongly_is_told(plan_file: Callable[..., Path], folder: Path) -> None:
    plan = plan_file()
    assert "the plan has no step deploy" in run("--plan", plan, "--until", "deploy").output
    assert "wants a reason" in run("--plan", plan, "--override", " ").output
    assert "holds no cycle" in run("--plan", plan, "--resume", "--out", folder / "none").output
    (folder / "full").mkdir()
    (folder / "full/file").touch()
    assert "is not empty" in run("--plan", plan, "--out", folder / "full").output


def test_mlflow_that_is_not_installed_is_told_before_anything_is_done(
    plan_file: Callable[..., Path], folder: Path
) -> None:
    try:
        check_mlflow()
    except GlossaError:
        done = run("--plan", plan_file(), "--mlflow", "http://127.0.0.1:9", "--out", "cycle")
        assert done.exit_code == 2
        assert "pip install mlflow-skinny" in done.output
        assert not (folder / "cycle").exists()
    else:
        pytest.skip("MLflow is installed")


def _hold(path: Path, ready: Any, over: Any) -> None:
    with gpu_lock(path, "somebody's training", wait_s=0, say=print):
        ready.set()
        over.wait(30)


def test_one_training_at_a_time_and_the_other_is_told_whose_it_is(
    plan_file: Callable[..., Path], folder: Path
) -> None:
    lock = folder / "var/gpu.lock"
    processes = multiprocessing.get_context("spawn")
    ready, over = processes.Event(), processes.Event()
    holder = processes.Process(target=_hold, args=(lock, ready, over))
    holder.start()
    try:
        assert ready.wait(30)
        done = run("--plan", plan_file(), "--out", "cycle")
        assert done.exit_code == 1
        assert f"in use by somebody's training (process {holder.pid} on " in done.output
        assert not (folder / "cycle").exists()

        told: list[str] = []

        def say(line: str) -> None:
            told.append(line)
            over.set()

        with gpu_lock(lock, "me", wait_s=30, say=say):
            assert len(told) == 1
    finally:
        over.set()
        holder.join(30)


def test_a_step_that_outlives_its_cycle_keeps_the_gpu(folder: Path) -> None:
    lock = folder / "gpu.lock"
    with gpu_lock(lock, "a cycle", wait_s=0, say=print) as descriptor:
        orphan = subprocess.Popen(["sleep", "60"], pass_fds=(descriptor,))
    try:
        with (
            pytest.raises(WrongState, match="in use by a cycle"),
            gpu_lock(lock, "me", wait_s=0, say=print),
        ):
            pass
    finally:
        orphan.kill()
        orphan.wait()
    with gpu_lock(lock, "me", wait_s=0, say=print):
        pass


def _stopped(folder: Path) -> None:
    with (folder / "lock").open("w") as lock:
        program = (
            "import pathlib, time\n"
            "try:\n    pathlib.Path('begun').touch(); time.sleep(60)\n"
            "except KeyboardInterrupt:\n    time.sleep(0.5); pathlib.Path('kept').touch()\n"
        )
        os.chdir(folder)
        run_job([sys.executable, "-c", program], keeps_open=lock.fileno())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_may_keep_what_it_has_when_the_cycle_is_stopped(
    folder: Path, number: signal.Signals
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_stopped, args=(folder,))
    process.start()
    until = time.monotonic() + 30
    while not (folder / "begun").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(30)
    assert (folder / "kept").exists()


def test_a_timer_goes_on_with_what_was_cut_off_and_not_with_what_has_ended(
    plan_file: Callable[..., Path], folder: Path
) -> None:
    plan = read_plan(plan_file())
    cycles = folder / "var/cycles"
    one = CycleRecord.begin(cycles / "20261116", plan, 1)
    assert unfinished(cycles, plan).folder == one.folder  # type: ignore[union-attr]
    for status in ("done", "red", "nothing_new", "stopped"):
        one.end(status)
        assert unfinished(cycles, plan) is None
    one.end("failed")
    two = CycleRecord.begin(cycles / "20261123", plan, next_number(cycles, folder / "registry"))
    assert two.number == 2
    two.end("done")
    assert unfinished(cycles, plan) is None, "a newer one has ended"


def test_a_done_step_is_not_gone_on_from_by_another_plan(
    plan_file: Callable[..., Path], folder: Path
) -> None:
    record = CycleRecord.begin(folder / "cycle", read_plan(plan_file()), 1)
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
    plan_file: Callable[..., Path], folder: Path
) -> None:
    record = CycleRecord.begin(folder / "cycle", read_plan(plan_file()), 1)
    assert not record.begin_step("train", ["--steps", "1"])
    again = CycleRecord.read(record.folder)
    assert again.begin_step("train", ["--steps", "1"])
    assert not again.begin_step("train", ["--steps", "2"])


def test_a_step_that_read_what_was_forgotten_is_begun_anew(
    plan_file: Callable[..., Path], folder: Path
) -> None:
    cycle_folder = folder / "cycles/1"
    steps_of = CycleSteps(read_plan(plan_file()), cycle_folder, 1)
    assert not steps_of.has_lost("train")
    mix = cycle_folder / "mix/train.jsonl"
    with RunFolder(mix.parent, "mix", {}):
        write_rows(mix, [Row("Amen.", "Amén.", "sermon", "s", "20261122-1")])
    with RunFolder(cycle_folder / "train", "marian", {}, inputs={"train": mix}):
        pass
    assert not steps_of.has_lost("train")
    forget("20261122-1", [folder])
    assert steps_of.has_lost("train")
    assert not steps_of.has_lost("gate"), "it has no folder of its own"


def test_numbers_go_on_from_those_of_versions(folder: Path) -> None:
    registry = Registry(folder / "registry")
    registry.add(small_export(folder / "export"), cycle=7, gate=gate_file(folder, passed=True))
    assert next_number(folder / "cycles", registry.folder) == 8


def test_what_is_in_use_is_to_be_beaten_and_not_what_was_there_before(
    plan_file: Callable[..., Path], folder: Path
) -> None:
    plan = read_plan(plan_file(more='[evaluate]\nold = "apertium"\n[registry]\nregistry = "r"\n'))
    registry = Registry(folder / "r")
    steps_of = CycleSteps(plan, folder / "cycle", 2)
    assert option(steps_of.command("evaluate"), "--old") == "apertium"
    version = registry.add(small_export(folder / "export"), cycle=1)
    entry = {"host": "local", "models_dir": "m", "tier": "final", "model": "glossa-en-es"}
    entry |= {"outcome": "deployed", "version": version.name, "at": "2026-11-22T00:00:00Z"}
    (registry.folder / "deployments.jsonl").write_text(json.dumps(entry) + "\n")
    command = steps_of.command("evaluate")
    assert command.count("--old") == 1
    assert Path(option(command, "--old")).name == "model"
    assert option(command, "--old").startswith("marian:")
    assert version.name in option(command, "--old")


def row(text: str, kind: Any = "sermon") -> Row:
    return Row(text, text, kind=kind, origin="test")


def test_pairs_are_counted_where_they_may_be_trained_on(folder: Path) -> None:
    for name, part, count in (("b", "en-es", 3), ("a", "en-es", 2), ("c", "en-es.test", 4)):
        write_rows(folder / name / part / "pairs.jsonl", [row(f"{n}") for n in range(count)])
        (folder / name / "manifest.json").write_text("{}")
    (folder / ".d.part/en-es").mkdir(parents=True)
    names = whole_snapshots(folder)
    assert names == ["a", "b", "c"]
    assert trainable(folder, names) == ["a", "b"]
    assert count_pairs(folder, names) == 5


def test_each_register_has_judges_of_its_own(folder: Path) -> None:
    write_judges(folder, [row("verse", "bible"), row("amen"), row("term", "glossary")])
    assert judges(folder) == [
        f"bible:biblical={folder}/bible.jsonl",
        f"held-out:sermon={folder}/held-out.jsonl",
    ]


def test_a_week_without_new_pairs_ends_early_and_well(
    plan_file: Callable[..., Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOSSA_DATASETS_DIR", str(folder / "datasets"))
    server = RedisProcess(port("redis", free_port_base()), folder / "redis")
    server.start()
    try:
        url = server.url_of("trainer", server.port)
        plan = plan_file(head="minimum_pairs = 5", more=f'[snapshot]\nredis = "{url}"\n')
        done = run("--plan", plan, "--out", folder / "cycle")
    finally:
        server.kill()
    assert done.exit_code == 0, done.output
    assert "0 pairs are new since the last training, and 5 are wanted" in done.output
    record = json.loads((folder / "cycle/cycle.json").read_text())
    assert record["status"] == "nothing_new"
    assert record["steps"].keys() == {"snapshot"}


def test_a_step_that_fails_ends_the_cycle_and_says_how_to_go_on(
    plan_file: Callable[..., Path], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOSSA_DATASETS_DIR", str(folder / "datasets"))
    plan = plan_file(more='[snapshot]\nredis = "redis://trainer:x@127.0.0.1:1/0"\n')
    done = run("--plan", plan, "--out", folder / "cycle")
    assert done.exit_code == 1
    assert f"--resume --out {folder / 'cycle'}" in done.output
    record = json.loads((folder / "cycle/cycle.json").read_text())
    assert record["status"] == "failed"
    assert record["steps"]["snapshot"]["status"] == "failed"


def test_a_plan_is_wrong_input(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_plan(folder / "none.toml")
