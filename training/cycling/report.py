"""What a cycle says to people: what it would do, what it did, and what there is to do now."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from training.cycling.record import CycleRecord
from training.cycling.steps import CycleSteps


def say(line: str) -> None:
    print(f"cycle: {line}", file=sys.stderr, flush=True)


def print_plan(steps_of: CycleSteps, steps: Sequence[str]) -> None:
    """The commands, as they can be given by hand."""
    for step in steps:
        command = ["python", *steps_of.command(step, ["SNAPSHOTS"])[1:]]
        click.echo(f"{step:9} {shlex.join(command)}")


def print_result(record: CycleRecord, steps_of: CycleSteps, steps: Sequence[str]) -> None:
    """A table of the steps, and what to do next."""
    from rich.console import Console
    from rich.table import Table

    click.echo(f"\ncycle {record.number}, {record.folder}")
    table = Table("step", "")
    table.add_column("minutes", justify="right")
    for step in steps_of.plan.steps:
        kept = record.steps.get(step)
        status = kept["status"] if kept else "" if step in steps else "left out"
        table.add_row(step, status, f"{kept['duration_s'] / 60:.1f}" if kept else "")
    Console().print(table)
    for line in _next(record, steps_of):
        click.echo(line)


def _next(record: CycleRecord, steps_of: CycleSteps) -> Iterator[str]:
    told = record.content
    page = steps_of.evaluation / "evaluation.html"
    again = f"python -m training.cycle --plan {steps_of.plan.path} --resume --out {record.folder}"
    if record.status == "nothing_new":
        yield (
            f"Nothing was trained: {told['new_pair_count']} pairs are new since the last training, "
            f"and {told['minimum_pairs']} are wanted (minimum_pairs). They are kept."
        )
        yield "Next: put doubtful sentences right on the review page, and let the next cycle come."
    elif record.status == "red":
        yield "The new model is not put into use: the gate is red, for the reasons above."
        yield "Captions go on as before, with the model that they have."
        yield f"Next: read {page}. If you find the new model better all the same:"
        yield f'  {again} --override "why"'
    elif record.status == "stopped":
        yield f"Stopped where you said. To go on: {again}"
    elif record.status in ("failed", "interrupted"):
        yield "Captions go on with the model that is in use. What was done is kept."
        yield f"To go on: {again}"
    elif record.status == "done":
        yield from _done(record, steps_of, again)


def _done(record: CycleRecord, steps_of: CycleSteps, again: str) -> Iterator[str]:
    version = record.content["version"]
    deploy = steps_of.plan.table("deploy")
    yield f"Read what has changed: {steps_of.evaluation / 'evaluation.html'}"
    if not record.is_done("deploy"):
        yield f"{version} is registered and not in use. To use it: name a host in [deploy], and"
        yield f"  {again}"
        return
    yield f"{version} speaks now, on: {', '.join(_hosts(deploy))}"
    back = ["--rollback", "--registry", str(steps_of.registry)]
    back += ["--name", str(deploy.get("name") or steps_of.plan.model_name)]
    back += _places(deploy)
    yield "Listen to it before the next service. To go back to the model before:"
    yield f"  python -m training.deploy {shlex.join(back)}"


def _places(deploy: Any) -> list[str]:
    told: list[str] = []
    for name in ("host", "hosts", "tier"):
        value = deploy.get(name, [])
        for each in value if isinstance(value, list) else [value]:
            told += [f"--{name}", str(each)]
    return told


def _hosts(deploy: Any) -> list[str]:
    named = deploy.get("host", [])
    hosts = [str(each) for each in (named if isinstance(named, list) else [named])]
    return [*hosts, *([f"those of {deploy['hosts']}"] if "hosts" in deploy else [])]
