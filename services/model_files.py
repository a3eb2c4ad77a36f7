"""Where a model lies on this machine: a path, or the name of one in the models folder or shipped.

Nothing here, or in an engine, asks a hub: `./glossa models pull` does, before Sunday. What files a
model may have is docs/security.md's part on models.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from pathlib import Path

import structlog

from services.errors import InvalidInput, Unavailable
from services.model_manifest import (
    MANIFEST,
    KnownHashes,
    damages,
    files_of,
    read_manifest,
    unlisted,
)
from services.model_programs import programs

log = structlog.get_logger()

# Models that come with Glossa. One of the same name in the models folder is a newer one, and wins.
SHIPPED = Path(__file__).parent / "mt/models"
# The one pickle that an engine loads, with weights_only=True: what unbabel-comet's models come as.
CHECKPOINT = "checkpoints/model.ckpt"


def find_model(model: str, models_dir: Path, *, needs: Iterable[str] = ()) -> Path:
    """The file or folder of `model`.

    A link to a folder beside it stands for that folder: training.deploy has the name that a profile
    uses lead to the version in use, and captions are to name the version.

    Args:
        model: a path, or a name below `models_dir` ("owner/name" lies in owner/name or in name) or
            below SHIPPED.
        needs: files that its folder must hold; "a|b" is satisfied by either.

    Raises:
        Unavailable: MODEL_MISSING, naming the model or the first file that is not there.
    """
    if not model:
        raise Unavailable(
            "MODEL_MISSING",
            "no model is named; set the service's MODEL variable, or choose a profile that does",
        )
    candidates = (
        Path(model),
        models_dir / model,
        models_dir / Path(model).name,
        SHIPPED / Path(model).name,
    )
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise Unavailable(
            "MODEL_MISSING",
            f"there is no model {model!r}, neither as a path nor in {models_dir}; "
            "get it with ./glossa models pull (list --all names those that there are)",
            model=model,
            models_dir=models_dir,
        )
    if found.is_symlink() and (beside := found.readlink()).name == str(beside):
        found = found.with_name(beside.name)
    for name in needs:
        if not any((found / option).exists() for option in name.split("|")):
            raise Unavailable(
                "MODEL_MISSING",
                f"the model in {found} has no {name.replace('|', ' or ')}; "
                "it is damaged or of another kind: ./glossa models verify",
                model=model,
                missing=name,
            )
    return found


def check_requested(model: str, models_dir: Path) -> str:
    """A model that may be loaded on request: below `models_dir`, shipped, or none.

    Raises:
        InvalidInput: MODEL_MISSING.
    """
    path = Path(model)
    is_below = bool(path.parts) and not path.is_absolute() and ".." not in path.parts
    places = (models_dir / path, models_dir / path.name, SHIPPED / path.name)
    try:
        is_there = any(found.exists() for found in places)
    except OSError:  # longer than a file's name can be
        is_there = False
    if model and not (is_below and is_there):
        raise InvalidInput(
            "MODEL_MISSING",
            f"there is no model {model!r} in the models folder; ./glossa models list shows "
            "those that there are",
            model=model,
        )
    return model


def checked(path: Path, *, weights_only: Collection[str] = ()) -> Path:
    """`path`, a model's file or folder, when its files are safe to load; every engine asks here.

    They are the manifest's, byte by byte, and none of them is a program. A model without a manifest
    is loaded with a warning: nobody knows what it ought to be. Blocks while gigabytes are read,
    once: see model_manifest.KnownHashes.

    Args:
        weights_only: pickles, by their path in the folder, that the engine reads with
            weights_only=True; any other is refused.

    Raises:
        Unavailable: MODEL_ALTERED, MODEL_UNSAFE, naming the first files.
    """
    try:
        if (folder := _home(path)) is None:
            log.warning("model_without_manifest", model=str(path))
        else:
            _check_manifest(folder)
        files = files_of(path) if path.is_dir() else [(path.name, path)]
        found = programs(files, weights_only)
    except OSError as error:
        raise _refused("MODEL_ALTERED", path, f"its files cannot be read: {error}") from error
    if found:
        raise _refused("MODEL_UNSAFE", path, "; ".join(found[:3]))
    return path


def _home(path: Path) -> Path | None:
    """The folder whose manifest speaks of `path`: itself, or one above it that names its files."""
    if path.is_dir() and (path / MANIFEST).exists():
        return path
    for folder in list(path.parents)[:2]:
        if not (folder / MANIFEST).exists():
            continue
        manifest = read_manifest(folder)
        within = path.relative_to(folder).as_posix()
        if manifest is None or any(f"{name}/".startswith(f"{within}/") for name in manifest.files):
            return folder
    return None


def _check_manifest(folder: Path) -> None:
    manifest = read_manifest(folder)
    if manifest is None:
        raise _refused("MODEL_ALTERED", folder, f"its {MANIFEST} cannot be read")
    began = time.monotonic()
    known = KnownHashes.read(folder)
    found = damages(folder, manifest, known=known)
    found += [f"{name} is not in the manifest" for name in unlisted(folder, manifest)]
    if found:
        raise _refused("MODEL_ALTERED", folder, "; ".join(found[:3]))
    known.write(folder)
    log.info(
        "model_checked",
        model=str(folder),
        bytes=manifest.bytes,
        seconds=round(time.monotonic() - began, 1),
    )


def _refused(reason: str, path: Path, why: str) -> Unavailable:
    return Unavailable(
        reason,
        f"the model {path} is not loaded: {why}. ./glossa models verify shows all; "
        "./glossa models pull NAME --again gets it anew",
        model=path.name,
    )
