"""A cycle's plan: what its steps are told, and what is wrong with it before anything is done."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from services.errors import InvalidInput
from tests.processes import REPOSITORY
from training.cycle import cycle
from training.cycling.plan import read_plan

EXAMPLE = REPOSITORY / "training/cycle.toml"
STEPS = ("snapshot", "mix", "noise", "train", "export", "evaluate", "gate", "registry", "deploy")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cycle, [str(argument) for argument in arguments])


def commands(output: str) -> dict[str, list[str]]:
    return {line.split()[0]: shlex.split(line)[1:] for line in output.splitlines()}


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_example_shows_every_step_and_writes_nothing(plan_folder: Path) -> None:
    before = sorted(plan_folder.rglob("*"))
    done = run("--dry-run")
    assert done.exit_code == 0, done.output
    told = commands(done.output)
    assert tuple(told) == STEPS
    assert told["train"][:3] == ["python", "-m", "training.marian"]
    assert option(told["train"], "--data") == option(told["noise"], "--out"), "noise is learned"
    assert "--no-muon" in told["train"]
    assert option(told["export"], "--engine") == "embedded", "as the embedded profile speaks"
    assert option(told["evaluate"], "--new") == f"embedded:{option(told['export'], '--out')}"
    assert option(told["evaluate"], "--old") == "embedded"
    assert option(told["gate"], "--export") == option(told["export"], "--out")
    assert option(told["registry"], "--gate") == option(told["gate"], "--out")
    assert sorted(plan_folder.rglob("*")) == before


@pytest.mark.parametrize(("more", "engine"), [("", "embedded"), ('engine = "marian"', "marian")])
def test_what_is_judged_is_what_will_speak(
    plan_file: Callable[..., Path], more: str, engine: str
) -> None:
    told = commands(run("--plan", plan_file(more=more), "--dry-run").output)
    assert option(told["evaluate"], "--new") == f"{engine}:{option(told['export'], '--out')}"
    # Places have stand-ins where the embedded translator puts them in.
    assert ("--hidden-places-share" in told["mix"]) == (engine == "marian")


@pytest.mark.parametrize("sets", ['["hymns:biblical=h.tsv", "sermon=s.jsonl"]', '"sermon=s.jsonl"'])
def test_what_the_plan_judges_by_is_kept_out_of_the_mix(
    plan_file: Callable[..., Path], sets: str
) -> None:
    path = plan_file(more=f"[evaluate]\nset = {sets}\n")
    mix = commands(run("--plan", path, "--dry-run").output)["mix"]
    kept_out = [told for name, told in itertools.pairwise(mix) if name == "--evaluation"]
    assert kept_out == [name for name in ("h.tsv", "s.jsonl") if name in sets]


def test_what_is_shown_can_be_given_by_hand(plan_folder: Path) -> None:
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
def test_a_cycle_may_end_early(plan_folder: Path, arguments: tuple[str, ...], last: str) -> None:
    assert list(commands(run("--dry-run", *arguments).output))[-1] == last


def test_a_plan_takes_an_address_from_the_environment(plan_folder: Path) -> None:
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
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    (plan_folder / "base").mkdir()
    path = plan_file(more='[train]\nmodel = "base"\n')
    path.write_text(path.read_text().replace('"marian"', '"gemma"'))
    told = commands(run("--plan", path, "--dry-run").output)
    assert option(told["export"], "--model") == "base"
    assert option(told["export"], "--adapter").endswith("train/adapter")
    assert option(told["export"], "--to") == "gguf"
    assert option(told["evaluate"], "--new").startswith("gguf:")


def test_a_recogniser_has_clips_in_the_place_of_pairs(plan_folder: Path) -> None:
    for name in ("base", "sermons"):
        (plan_folder / name).mkdir()
    (plan_folder / "ears.toml").write_text(
        'trainer = "whisper"\nmodel_name = "whisper-church"\n[audio]\nrecordings = ["sermons"]\n'
        '[train]\nmodel = "base"\n[evaluate]\nspeech = ["church=sermons"]\n'
    )
    told = commands(run("--plan", "ears.toml", "--dry-run").output)
    assert tuple(told) == ("audio", "train", "export", "evaluate", "gate", "registry")
    assert option(told["train"], "--clips") == option(told["audio"], "--out")
    assert option(told["evaluate"], "--stt-new").startswith("faster_whisper:")
    assert option(told["gate"], "--needs") == "recognition"
    assert option(told["export"], "--check-with") == option(told["audio"], "--out")
    assert option(told["evaluate"], "--trained-on") == option(told["audio"], "--out")


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
        ({"more": "engine = 'gguf'"}, "'gguf' does not speak with that; it is to be emb"),
        ({"more": "[gate]\nneeds = 'export'"}, "needs in [gate] is the cycle's own"),
        ({"more": "[noise\n"}, "it cannot be read"),
    ],
)
def test_a_mistake_in_a_plan_is_told_before_anything_is_done(
    plan_file: Callable[..., Path], plan_folder: Path, change: dict[str, str], said: str
) -> None:
    done = run("--plan", plan_file(**change), "--out", "cycle")
    assert done.exit_code == 2
    assert said in done.output
    assert not (plan_folder / "cycle").exists()


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
def test_a_plan_that_does_not_fit_together_is_refused(
    plan_folder: Path, text: str, said: str
) -> None:
    (plan_folder / "church.toml").write_text(text)
    done = run("--plan", "church.toml")
    assert done.exit_code == 2
    assert said in done.output


def test_what_was_asked_for_wrongly_is_told(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    plan = plan_file()
    assert "the plan has no step deploy" in run("--plan", plan, "--until", "deploy").output
    assert "wants a reason" in run("--plan", plan, "--override", " ").output
    assert "holds no cycle" in run("--plan", plan, "--resume", "--out", plan_folder / "none").output
    (plan_folder / "full").mkdir()
    (plan_folder / "full/file").touch()
    assert "is not empty" in run("--plan", plan, "--out", plan_folder / "full").output


def test_a_plan_is_wrong_input(plan_folder: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_plan(plan_folder / "none.toml")
