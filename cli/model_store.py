"""What `./glossa models` prints: the folder of models against the catalogue and the profiles."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cli.catalogue import Model, catalogue, find, models_of, uses
from cli.counted import counted
from cli.model_folder import is_whole, kept_models
from cli.model_pull import bring_in, pull
from cli.signals import sentence
from cli.stack import models_dir_of, profile_names, read_profile
from services.errors import GlossaError, InvalidInput
from services.model_files import CHECKPOINT, SHIPPED
from services.model_manifest import KnownHashes, damages, files_of, read_manifest, unlisted
from services.model_programs import programs
from services.mt.engine import OWN_MODEL


def pull_models(
    names: tuple[str, ...], profile: str | None, source: Path | None, again: bool
) -> int:
    """Gets the models named, or those of a profile, one after the other. Returns the exit status.

    One that cannot be had is told, and the others are got all the same.
    """
    models_dir = models_dir_of(os.environ)
    try:
        chosen = [find(name) for name in names] if profile is None else list(_needed(profile))
    except GlossaError as error:
        return _tell(error)
    if not chosen:
        _say(f"the profile {profile} needs no models")
    if source is not None and not source.exists():
        return _tell(InvalidInput("NO_SUCH_FOLDER", f"there is no {source}"))
    status = 0
    for model in chosen:
        if not again and is_whole(models_dir / model.folder):
            _say(f"{model.name} is here: {models_dir / model.folder}")
            continue
        try:
            if source is None:
                folder = pull(model, models_dir, _say)
            else:
                folder = bring_in(model, source, models_dir, _say)
        except GlossaError as error:
            failed = _tell(error)
            if profile is not None and model.optional:
                _say(f"the profile {profile} runs without {model.name}: {model.purpose}")
            else:
                status = max(status, failed)
        except KeyboardInterrupt:
            _say(f"{model.name} is not whole yet; run this again and it goes on where it stopped")
            return 130
        else:
            _say(f"{model.name} is whole: {folder}")
    return status


def show_models(profile: str, everything: bool) -> int:
    """Prints the models that are here and those that the profile needs; 1 when some are missing."""
    models_dir = models_dir_of(os.environ)
    try:
        needed = _needed(profile)
    except GlossaError as error:
        return _tell(error)
    used_by = _users()
    click.echo(f"in {models_dir}")
    known = [
        model
        for model in catalogue()
        if everything or model in needed or (models_dir / model.folder).exists()
    ]
    rows = [
        (
            model.name,
            state_of(model, models_dir),
            f"{model.bytes / 1e9:.2f} GB",
            model.licence + (" (to be accepted)" if model.gated else ""),
            ", ".join(used_by.get(model.name, ())) or "-",
            model.purpose + ("" if model.seen else " [unverified entry]"),
        )
        for model in known
    ]
    folders = {models_dir / model.folder for model in catalogue()}
    for folder in kept_models(models_dir):
        manifest = read_manifest(folder)
        if folder not in folders and manifest is not None:
            name = folder.relative_to(models_dir).as_posix()
            size = f"{manifest.bytes / 1e9:.2f} GB"
            rows.append((name, "here", size, manifest.licence, "-", manifest.repo))
    for folder in kept_models(SHIPPED):
        manifest = read_manifest(folder)
        if manifest is not None:
            size = f"{manifest.bytes / 1e9:.2f} GB"
            users = ", ".join(_own_model_users()) if folder.name == OWN_MODEL else "-"
            purpose = "comes with Glossa"
            rows.append((folder.name, "shipped", size, manifest.licence, users, purpose))
    if rows:
        header = ("model", "state", "size", "licence", "used by", "for")
        widths = [max(len(row[column]) for row in (header, *rows)) for column in range(5)]
        for row in (header, *rows):
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            click.echo("  ".join((*cells, row[5])).rstrip())
    missing = [
        model.name
        for model in needed
        if not model.optional and state_of(model, models_dir) != "here"
    ]
    if missing:
        click.echo(
            f"the profile {profile} still needs {', '.join(missing)}: "
            f"./glossa models pull --profile {profile}"
        )
        return 1
    click.echo(f"the profile {profile} has all the models it needs")
    return 0


def verify_models(names: tuple[str, ...]) -> int:
    """Reads the models named, or all that are here, and tells what is damaged; 1 if anything is."""
    models_dir = models_dir_of(os.environ)
    try:
        folders = [_folder_of(name, models_dir) for name in names] or list(_all_of(models_dir))
    except GlossaError as error:
        return _tell(error)
    if not folders:
        click.echo(f"there are no models in {models_dir}")
    status = 0
    for folder in folders:
        is_shipped = folder.parent == SHIPPED
        name = folder.relative_to(SHIPPED if is_shipped else models_dir).as_posix()
        manifest = read_manifest(folder)
        if manifest is None:
            there = "has no manifest to compare it with" if folder.exists() else "is not here"
            click.echo(f"FIX  {name} {there}: ./glossa models pull {folder.name}")
            status = 1
            continue
        with click.progressbar(
            length=manifest.bytes, label=name, file=sys.stderr, hidden=not sys.stderr.isatty()
        ) as bar:
            found = damages(folder, manifest, bar.update, known := KnownHashes())
        found += [f"{name} is not in the manifest" for name in unlisted(folder, manifest)]
        found += programs(files_of(folder), weights_only=(CHECKPOINT,))
        for damage in found:
            click.echo(f"FIX  {name}: {damage}")
        if found:
            pull_again = f"./glossa models pull {manifest.name} --again"
            click.echo(f"     {f'get {SHIPPED} again' if is_shipped else pull_again}")
            status = 1
        else:
            known.write(folder)
            files = counted(len(manifest.files), "file")
            click.echo(f"ok   {name}: {files}, {manifest.bytes / 1e9:.2f} GB")
    return status


def state_of(model: Model, models_dir: Path) -> str:
    """One word for people: here, damaged, unlisted (no manifest) or missing."""
    folder = models_dir / model.folder
    if is_whole(folder):
        return "here"
    if not folder.exists():
        return "missing"
    return "damaged" if read_manifest(folder) is not None else "unlisted"


def _needed(profile: str) -> tuple[Model, ...]:
    return models_of(uses({**read_profile(profile), **os.environ}))


def _users() -> dict[str, list[str]]:
    """The profiles that use a model, by its name."""
    users: dict[str, list[str]] = {}
    for profile in profile_names():
        for model in models_of(uses(read_profile(profile))):
            users.setdefault(model.name, []).append(profile)
    return users


def _own_model_users() -> list[str]:
    """The profiles that translate with the own model."""
    return [
        profile
        for profile in profile_names()
        if "embedded" in {use.engine for use in uses(read_profile(profile))}
    ]


def _folder_of(name: str, models_dir: Path) -> Path:
    """Raises InvalidInput UNKNOWN_MODEL."""
    if not (models_dir / name).exists() and SHIPPED / name in kept_models(SHIPPED):
        return SHIPPED / name
    return models_dir / find(name).folder


def _all_of(models_dir: Path) -> Iterator[Path]:
    """Folders with a manifest, the shipped ones too, and the catalogue's that have none."""
    kept = list(kept_models(models_dir))
    yield from kept
    for model in catalogue():
        folder = models_dir / model.folder
        if folder.exists() and folder not in kept:
            yield folder
    yield from kept_models(SHIPPED)


def _say(line: str) -> None:
    sys.stderr.write(f"glossa: {line}\n")


def _tell(error: GlossaError) -> int:
    sys.stderr.write(f"Error: {sentence(error)}\n")
    return 2 if isinstance(error, InvalidInput) else 1
