"""The plan of a training cycle: a TOML file such as cycle.toml, checked before anything is done.

Each table has a step's name and holds the options of its job by their own names: `min_band =
"accept"` in [snapshot] is `--min-band accept` of training.snapshot; true sets a flag, a list gives
an option several times. ${NAME:-value} in a text is a variable of the environment, or the value.
"""

from __future__ import annotations

import difflib
import importlib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click

from services.errors import InvalidInput
from training.formats import FORMATS, Kind

_JUDGED = ("export", "evaluate", "gate", "registry", "deploy")
_TRANSLATOR = ("snapshot", "mix", "noise", "train", *_JUDGED)
_RECOGNISER = ("audio", "train", *_JUDGED)
# Left out where the plan has no table of that name.
_OPTIONAL = {"noise", "deploy"}
# What the cycle tells the jobs itself, besides --out and --resume.
_OWN: Mapping[str, frozenset[str]] = {
    "snapshot": frozenset({"trainer"}),
    "noise": frozenset({"mix"}),
    "train": frozenset({"data", "clips"}),
    "export": frozenset({"model", "adapter", "no_check"}),
    "evaluate": frozenset({"new", "stt_new"}),
    "gate": frozenset({"evaluation", "export", "needs", "override", "who"}),
    "registry": frozenset({"export", "cycle", "evaluation", "gate"}),
    "deploy": frozenset({"registry", "rollback", "dry_run"}),
}
_VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
_MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


@dataclass(frozen=True)
class Trainer:
    """What a trainer's cycle is made of.

    Args:
        kind: of model, as formats know it.
        writes: the folder below its --out that training.export reads.
        to: the format of the export, unless the plan says so.
    """

    job: str
    kind: Kind
    writes: Literal["model", "adapter"]
    to: str
    steps: tuple[str, ...]


TRAINERS = {
    trainer.job: trainer
    for trainer in (
        Trainer("marian", "marian", "model", "ctranslate2", _TRANSLATOR),
        Trainer("gemma", "language_model", "adapter", "gguf", _TRANSLATOR),
        Trainer("whisper", "whisper", "adapter", "ctranslate2", _RECOGNISER),
    )
}
STEPS = tuple(dict.fromkeys(step for each in TRAINERS.values() for step in each.steps))


@dataclass(frozen=True)
class Plan:
    """A plan that was read.

    Args:
        model_name: what the export and the profiles call the model.
        minimum_pairs: fewer new pairs than that end a cycle before it trains.
        tables: the options of each step's job.
    """

    path: Path
    trainer: Trainer
    model_name: str
    minimum_pairs: int
    gpu_lock: Path
    tables: Mapping[str, Mapping[str, Any]]

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(
            step for step in self.trainer.steps if step in self.tables or step not in _OPTIONAL
        )

    def table(self, step: str) -> Mapping[str, Any]:
        return self.tables.get(step, {})

    def job(self, step: str) -> str:
        """The module of a step."""
        return f"training.{self.trainer.job if step == 'train' else step}"

    def command(self, step: str) -> click.Command:
        module = self.job(step)
        command: click.Command = getattr(importlib.import_module(module), module.split(".")[1])
        return command.commands["add"] if isinstance(command, click.Group) else command

    def resumes(self, step: str) -> bool:
        """Whether its job goes on where it was killed."""
        return "resume" in _options(self.command(step))

    def arguments(self, step: str) -> list[str]:
        """The options that the plan has for a step's job, as it is told them."""
        options = _options(self.command(step))
        told: list[str] = []
        for name, value in self.table(step).items():
            option, parameter = f"--{name.replace('_', '-')}", options[name]
            if isinstance(value, bool):
                told += [option] if value else parameter.secondary_opts[:1]
            elif isinstance(value, list) and not parameter.multiple:
                told += [option, *map(str, value)]
            else:
                for each in value if isinstance(value, list) else [value]:
                    told += [option, str(each)]
        return told

    @property
    def target_format(self) -> str:
        return str(self.table("export")["to"])

    @property
    def engine(self) -> str:
        """The service's engine that is to speak with what this cycle makes."""
        named = self.table("export").get("engine")
        return str(named or FORMATS[self.target_format].speaking_engines(self.trainer.kind)[0])


def read_plan(path: Path, environment: Mapping[str, str] = os.environ) -> Plan:
    """Raises InvalidInput: PLAN_DAMAGED, saying where and what would do."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, f"it cannot be read: {error}") from error
    told = _filled_in(told, environment)
    name = told.pop("trainer", None)
    if not isinstance(name, str) or name not in TRAINERS:
        raise _damaged(path, f"trainer = {name!r} is none of {', '.join(TRAINERS)}")
    trainer = TRAINERS[name]
    if isinstance(export := told.setdefault("export", {}), dict):
        export.setdefault("to", trainer.to)
    lock = told.pop("gpu_lock", "var/gpu.lock")
    if not isinstance(lock, str):
        raise _damaged(path, "gpu_lock must be the path of a file")
    plan = Plan(
        path=path,
        trainer=trainer,
        model_name=str(told.pop("model_name", "")),
        minimum_pairs=_count(told.pop("minimum_pairs", 1), path),
        gpu_lock=Path(lock),
        tables={key: value for key, value in told.items() if isinstance(value, dict)},
    )
    if not _MODEL_NAME.fullmatch(plan.model_name):
        raise _damaged(
            path,
            "model_name must be what the profiles call the model, in small letters, as in "
            "glossa-en-es",
        )
    for key in told:
        if key not in trainer.steps or key not in plan.tables:
            known = ("trainer", "model_name", "minimum_pairs", "gpu_lock", *trainer.steps)
            raise _damaged(path, f"nothing is called {key!r} here{_perhaps(key, known)}")
    for step in plan.steps:
        _check_table(plan, step)
    _check_engine(plan)
    return plan


def _check_table(plan: Plan, step: str) -> None:
    command = plan.command(step)
    options, table = _options(command), plan.table(step)
    own = _OWN.get(step, frozenset()) | {"out", "resume"}
    context = click.Context(command)
    for name, value in table.items():
        if name in own:
            raise _damaged(plan.path, f"{name} in [{step}] is the cycle's own; leave it out")
        if name not in options:
            raise _damaged(
                plan.path,
                f"{plan.job(step)} has no option {name!r} for [{step}]"
                f"{_perhaps(name, options.keys() - own)}",
            )
        option = options[name]
        if isinstance(value, dict) or isinstance(value, bool) is not option.is_flag:
            wanted = "true or false" if option.is_flag else "a text, a number or a list of them"
            raise _damaged(plan.path, f"{name} in [{step}] is to be {wanted}")
        if option.is_flag:
            continue
        several = option.multiple or option.nargs != 1
        if isinstance(value, list) and not several:
            raise _damaged(plan.path, f"{name} in [{step}] is one value, no list")
        texts = tuple(map(str, value if isinstance(value, list) else [value]))
        try:
            option.type_cast_value(context, texts if several else texts[0])
        except (click.UsageError, ValueError) as error:  # a path with a zero byte is a ValueError
            raise _damaged(plan.path, f"{name} in [{step}]: {error}") from error
    for name, option in options.items():
        if option.required and name not in own and name not in table:
            raise _damaged(plan.path, f"[{step}] lacks {name}: {option.help or ''}")


def _check_engine(plan: Plan) -> None:
    """What options cannot say: what fits to what."""
    if plan.trainer.kind not in FORMATS[plan.target_format].engines:
        raise _damaged(
            plan.path,
            f"to in [export]: {plan.trainer.job} makes no model that goes to {plan.target_format}",
        )
    engines = FORMATS[plan.target_format].speaking_engines(plan.trainer.kind)
    if plan.engine not in engines:
        raise _damaged(
            plan.path,
            f"engine in [export]: {plan.engine!r} does not speak with that; it is to be "
            f"{' or '.join(engines)}",
        )
    if plan.trainer.writes == "adapter" and not os.path.isdir(str(plan.table("train")["model"])):
        raise _damaged(
            plan.path,
            "model in [train] must be the folder of the model to begin with, as Hugging Face lays "
            f"it out; {plan.table('train')['model']} is no folder",
        )
    deploy = plan.table("deploy")
    if "deploy" in plan.tables and not deploy.keys() & {"host", "hosts"}:
        raise _damaged(plan.path, "[deploy] names no host: give host or hosts, or leave it out")


def _options(command: click.Command) -> dict[str, click.Option]:
    """By the names that a plan uses for them."""
    return {
        each.removeprefix("--").replace("-", "_"): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for each in parameter.opts
        if each.startswith("--")
    }


def _filled_in(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: environment.get(found[1]) or found[2], value)
    if isinstance(value, list):
        return [_filled_in(each, environment) for each in value]
    if isinstance(value, dict):
        return {name: _filled_in(each, environment) for name, each in value.items()}
    return value


def _count(value: Any, path: Path) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _damaged(path, "minimum_pairs must be a whole number, 1 or more")
    return value


def _perhaps(name: str, known: Any) -> str:
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else f"; there are {', '.join(sorted(known))}"


def _damaged(path: Path, what: str) -> InvalidInput:
    return InvalidInput("PLAN_DAMAGED", f"{path}: {what}")
