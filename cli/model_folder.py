"""The folder of models: what is written into it, and which models are in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from services.model_manifest import MANIFEST, Manifest, read_manifest

# Pulls that are not whole yet; find_model sees nothing below a name that no setting has.
UNFINISHED = ".unfinished"


def write_manifest(folder: Path, manifest: Manifest) -> None:
    files = {path: vars(kept) for path, kept in sorted(manifest.files.items())}
    said = {**vars(manifest), "files": files}
    (folder / MANIFEST).write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


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
