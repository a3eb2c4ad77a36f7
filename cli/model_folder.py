"""A model on disk: its files, and glossa-manifest.json with their sizes and SHA-256."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MANIFEST = "glossa-manifest.json"
# Pulls that are not whole yet; find_model sees nothing below a name that no setting has.
UNFINISHED = ".unfinished"
_BLOCK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class KeptFile:
    """What a file is to be."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """Where a model came from and what its files are.

    Args:
        revision: the hub's commit; empty for a copy that was brought in.
        files: by their path in the folder.
        lineage: of a model that training exported: what it was made of; empty for others.
    """

    name: str
    repo: str
    revision: str
    licence: str
    files: dict[str, KeptFile] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        return sum(kept.bytes for kept in self.files.values())


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a model's folder; None when it has none, or one that cannot be read."""
    try:
        said: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {path: KeptFile(**kept) for path, kept in said.pop("files").items()}
        return Manifest(**said, files=files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    files = {path: vars(kept) for path, kept in sorted(manifest.files.items())}
    said = {**vars(manifest), "files": files}
    (folder / MANIFEST).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def files_of(folder: Path) -> Iterator[tuple[str, Path]]:
    """Every file of a model with its path in the folder; not the manifest, nothing hidden."""
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        if path.is_file() and path.name != MANIFEST and not within.parts[0].startswith("."):
            yield within.as_posix(), path


def sha256_of(path: Path, told: Callable[[int], None] = lambda count: None) -> str:
    """The hash in hexadecimal; `told` gets the bytes read since its last call."""
    digest = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            digest.update(block)
            told(len(block))
    return digest.hexdigest()


def damages(
    folder: Path, manifest: Manifest, told: Callable[[int], None] = lambda count: None
) -> list[str]:
    """What is wrong with each file that is not as the manifest says, by its name."""
    found = []
    for name, kept in manifest.files.items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != kept.bytes:
            found.append(f"{name} has {path.stat().st_size} bytes instead of {kept.bytes}")
        elif sha256_of(path, told) != kept.sha256:
            found.append(f"{name} is damaged: its SHA-256 is another")
    return found


def is_whole(folder: Path) -> bool:
    """Whether every file of the manifest is there in its size: quick, without reading them."""
    manifest = read_manifest(folder)
    return manifest is not None and all(
        (folder / name).is_file() and (folder / name).stat().st_size == kept.bytes
        for name, kept in manifest.files.items()
    )


def kept_models(models_dir: Path) -> Iterator[Path]:
    """The folders of `models_dir` that have a manifest, at most two levels down."""
    for pattern in (f"*/{MANIFEST}", f"*/*/{MANIFEST}"):
        for path in sorted(models_dir.glob(pattern)):
            if UNFINISHED not in path.relative_to(models_dir).parts:
                yield path.parent
