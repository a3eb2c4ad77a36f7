"""python -m training.registry add --export var/exports/glossa-en-es --cycle 3 \
       --evaluation var/runs/evaluate3/evaluation.json --gate var/runs/gate3/gate.json
   python -m training.registry list | show VERSION | where

The versions of our models, none of which ever changes, and where each is in use.
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from services.errors import InvalidInput
from services.model_manifest import damages
from training.evaluation.judged import names_its_model
from training.job import Job
from training.rollout.deployments import DeploymentLog
from training.rollout.versions import Registry, Version

registry_option = click.option(
    "--registry",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/registry"),
    show_default=True,
    help="The folder of versions.",
)
_json_file = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.group()
def registry() -> None:
    """Keep versions of models, and see which is in use where.

    \b
    python -m training.registry add --export var/exports/glossa-en-es --cycle 3 \\
        --gate var/runs/gate3/gate.json
    python -m training.registry list
    """


@registry.command(cls=Job)
@registry_option
@click.option(
    "--export",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    required=True,
    help="The folder that training.export wrote.",
)
@click.option("--cycle", type=click.IntRange(min=0), required=True, help="Of the training loop.")
@click.option("--evaluation", type=_json_file, help="evaluation.json of training.evaluate.")
@click.option("--gate", type=_json_file, help="gate.json that judged it; none deploys without.")
def add(folder: Path, export: Path, cycle: int, evaluation: Path | None, gate: Path | None) -> None:
    """Make an export a version: cycle, day, and the hash of its files."""
    version = Registry(folder).add(export, cycle=cycle, evaluation=evaluation, gate=gate)
    click.echo(version.name)


@registry.command("list", cls=Job)
@registry_option
def list_versions(folder: Path) -> None:
    """Show all versions, the oldest first."""
    for version in Registry(folder).versions():
        kept = version.manifest
        click.echo(
            f"{version.name}  {_gate(version):10}  {kept.bytes / 1e6:8.1f} MB  {kept.licence:12}  "
            f"{version.engine}  {kept.name}"
        )


@registry.command(cls=Job)
@registry_option
@click.argument("version")
def show(folder: Path, version: str) -> None:
    """Show all that is known of VERSION (a part of its name will do, or "latest"), and read every
    file of it: exits with 2 when one has changed."""
    found = Registry(folder).find(version)
    told = {
        "version": found.name,
        "created": found.created,
        "name": found.manifest.name,
        "licence": found.manifest.licence,
        "gate": found.gate,
        "lineage": found.manifest.lineage,
        "files": {name: vars(kept) for name, kept in found.manifest.files.items()},
    }
    click.echo(json.dumps(told, ensure_ascii=False, indent=2))
    if problems := damages(found.model, found.manifest):
        raise InvalidInput("MODEL_DAMAGED", f"{found.name} is damaged: {'; '.join(problems)}")


@registry.command(cls=Job)
@registry_option
def where(folder: Path) -> None:
    """Show which version is in use where, as the log of deployments has it."""
    in_use = DeploymentLog(folder).in_use()
    for place, entry in in_use.items():
        version = entry["version"] or "none of ours"
        click.echo(
            f"{place.host:16}  {entry['service']} {place.tier:8}  {version:28}  {place.model}  "
            f"since {entry['at']}"
        )
    if not in_use:
        click.echo("nothing was deployed from here yet")


def _gate(version: Version) -> str:
    if version.gate is not None and not names_its_model(version.gate):
        return "old gate"
    if version.own_gate is None:
        return "no gate"
    if version.own_gate["is_green"]:
        return "green"
    return "overridden" if version.may_be_deployed else "red"


if __name__ == "__main__":
    registry()
