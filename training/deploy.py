"""python -m training.deploy cycle3_20261121_1f2e3d4c --host local:var/models@127.0.0.1:7304
   python -m training.deploy latest --hosts hosts.toml
   python -m training.deploy --rollback --name glossa-en-es --hosts hosts.toml

Puts a version on hosts, one after the other, while people speak: copied, verified, tried before and
after, and undone where it does not do. The name that a profile calls its model by (--name) becomes
a link to the version, so that a restart comes up with it, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from services.errors import InvalidInput, WrongState
from services.mt.engine import LanguagePair
from training.evaluation.judged import names_its_model
from training.job import Job
from training.registry import registry_option
from training.rollout.deployment import Site
from training.rollout.deployments import DeploymentLog, Place
from training.rollout.hosts import Host, host_of, read_hosts
from training.rollout.running_service import smoke_sentences
from training.rollout.versions import Registry, Version


@click.command(cls=Job)
@click.argument("version", required=False)
@registry_option
@click.option(
    "--host",
    "named",
    multiple=True,
    metavar="TARGET:MODELS_DIR@ADDRESS",
    help="local:var/models@127.0.0.1:7304, or what ssh is told in the place of local; the address "
    "is the service's, as seen from that machine. Several are done one after the other.",
)
@click.option(
    "--hosts",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A list of hosts in TOML; each [[host]] has name, models_dir, address and, for another "
    "machine, ssh.",
)
@click.option("--name", default="", help="What profiles call the model.  [default: the export's]")
@click.option("--tier", default="final", help="final or draft of mt; final, partial ... of stt.")
@click.option(
    "--smoke",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Sentences to try, one a line; after a tab words that the translation must hold.  "
    "[default: four of our own]",
)
@click.option("--rollback", is_flag=True, help="Go back to what was before the last deployment.")
@click.option("--dry-run", is_flag=True, help="Look at everything and change nothing.")
def deploy(
    version: str | None,
    folder: Path,
    named: tuple[str, ...],
    hosts: Path | None,
    name: str,
    tier: str,
    smoke: Path | None,
    rollback: bool,
    dry_run: bool,
) -> None:
    """Put VERSION (a part of its name will do, or "latest") into use, or go back with --rollback.

    \b
    python -m training.deploy latest --host local:var/models@127.0.0.1:7304 --dry-run
    """
    chosen = [*map(host_of, named), *(read_hosts(hosts) if hosts else ())]
    if not chosen:
        raise InvalidInput("BAD_HOST", "name where to: --host or --hosts")
    if rollback == bool(version):
        raise InvalidInput("BAD_VERSION", "name a version, or --rollback with --name")
    if Path(name).name != name or name.startswith("."):
        raise InvalidInput("BAD_NAME", "--name must be a name that a folder of models can have")
    log = DeploymentLog(folder)
    with log.alone():
        if version is not None:
            found = _deployable(Registry(folder).find(version))
            for host in chosen:
                site = _site(host, found, name or found.manifest.name, tier, smoke, log)
                site.plan(found) if dry_run else site.deploy(found)
        else:
            _roll_back(chosen, name, tier, smoke, log, dry_run=dry_run)


def _deployable(version: Version) -> Version:
    if not version.may_be_deployed:
        raise WrongState("GATE_RED", f"{version.name} is not deployed: {_why_not(version)}")
    return version


def _why_not(version: Version) -> str:
    """Why a version may not be deployed, and what to do then."""
    if version.gate is not None and not names_its_model(version.gate):
        return (
            "its gate is from before gates named the model that they judged. Judge it again with "
            f"python -m training.evaluate and training.gate, delete {version.folder} while it is "
            "in use nowhere, and add its export anew with that gate"
        )
    if version.gate is None:
        why = "it did not pass through training.gate"
    else:
        why = "its gate is red" if version.own_gate else "its gate judged another model"
    return f'{why}; training.gate --override "why" lets a person take it all the same'


def _site(
    host: Host, version: Version, name: str, tier: str, smoke: Path | None, log: DeploymentLog
) -> Site:
    source, _, target = str(version.manifest.lineage["pair"]).partition(">")
    pair = LanguagePair(source, target)
    sentences = smoke_sentences(smoke, pair)
    return Site(host, tier, name, version.service, pair, sentences, log, _say)


def _roll_back(
    hosts: list[Host],
    name: str,
    tier: str,
    smoke: Path | None,
    log: DeploymentLog,
    *,
    dry_run: bool,
) -> None:
    in_use = log.in_use()
    for host in hosts:
        last = in_use.get(Place.of(host, tier, name))
        if last is None:
            raise WrongState(
                "NOTHING_TO_ROLL_BACK",
                f"nothing was deployed to {host.name} as {tier} {name or '(--name is missing)'} "
                "from here; training.registry where shows what was",
            )
        source, _, target = str(last["pair"]).partition(">")
        pair = LanguagePair(source, target)
        sentences = smoke_sentences(smoke, pair)
        site = Site(host, tier, name, last["service"], pair, sentences, log, _say)
        site.restore(last, dry_run=dry_run)


def _say(line: str) -> None:
    print(f"deploy: {line}", file=sys.stderr)


if __name__ == "__main__":
    deploy()
