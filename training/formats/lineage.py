"""Where a model comes from: its licence, the run that trained it, the model that it began as."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cli.catalogue import catalogue
from services.errors import InvalidInput
from services.model_manifest import read_manifest
from training import run_folder


def lineage_of(source: Path, adapter: Path | None, base: str) -> dict[str, Any]:
    """What `training.registry` keeps of a model's origin, as JSON says it.

    Args:
        source: a trainer's <out>/model, or the base model of `adapter`.
        base: the model that it was fine-tuned from, as `base_of` has it.
    """
    return {
        "base": _name(base),
        "model_sha256": run_folder.fingerprint(source),
        "adapter_sha256": run_folder.fingerprint(adapter) if adapter else None,
        "run": _run(source, adapter),
        "exported_by": {
            "git_revision": run_folder.git_revision(),
            "versions": run_folder.versions(),
        },
    }


def base_of(source: Path, adapter: Path | None, told: str) -> str:
    """The folder or the hub's name of what a model was fine-tuned from; empty for none.

    Args:
        told: by a person; empty where the run or the adapter tells it.
    """
    if told:
        return told
    if adapter is not None:
        config = _json(adapter / "adapter_config.json") or {}
        return str(config.get("base_model_name_or_path", ""))
    options = (_run(source, adapter) or {}).get("options") or {}
    return str(options.get("model") or options.get("student_folder") or "")


def licence_of(source: Path, base: str, given: str) -> str:
    """The licence that a model is under: as told, as its manifest says, or as its base's is.

    Raises:
        InvalidInput: LICENCE_UNKNOWN.
    """
    if given:
        return given
    for folder in (source, Path(base)):
        manifest = read_manifest(folder) if base or folder == source else None
        if manifest is not None:
            return manifest.licence
    for model in catalogue():
        if base and base in (model.name, model.repo):
            return model.licence
    raise InvalidInput(
        "LICENCE_UNKNOWN",
        f"nothing tells the licence of {source}; say it with --licence, as in "
        '--licence "Apache-2.0", or name the model that it began as with --base',
    )


def _name(base: str) -> str:
    """What a base is called on every machine: by its manifest, on its hub, or as its folder."""
    folder = Path(base)
    manifest = read_manifest(folder) if base else None
    if manifest is not None:
        return manifest.name
    is_of_hub = len(folder.parts) <= 2 and not folder.is_absolute() and not folder.is_dir()
    if not base or is_of_hub:
        return base
    # A trainer calls what it makes "model", in a folder that somebody named.
    folder = folder.absolute()
    return folder.parent.name if folder.name == "model" else folder.name


def _run(source: Path, adapter: Path | None) -> dict[str, Any] | None:
    return _json((adapter or source).parent / run_folder.MANIFEST)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise InvalidInput("FOLDER_UNUSABLE", f"cannot read {path}: {error}") from error
    return value
