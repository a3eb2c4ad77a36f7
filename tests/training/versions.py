"""Exports and versions that tests make by hand."""

from __future__ import annotations

import json
from pathlib import Path

from cli.model_folder import write_manifest
from services.model_manifest import KeptFile, Manifest, files_of, sha256_of


def sealed(folder: Path, name: str = "glossa-en-es", engine: str = "marian") -> Path:
    """A folder of model files as training.export leaves it: with the manifest of what is in it."""
    files = {
        path_name: KeptFile(path.stat().st_size, sha256_of(path))
        for path_name, path in files_of(folder)
    }
    lineage = {"engine": engine, "pair": "en>es", "base": "none"}
    write_manifest(folder, Manifest(name, "", "", "Apache-2.0", files, lineage))
    return folder


def small_export(folder: Path, content: str = "weights") -> Path:
    """One that no service could load, and that nobody needs a library for."""
    folder.mkdir(parents=True)
    (folder / "model.bin").write_text(content)
    (folder / "config.json").write_text("{}")
    return sealed(folder)


def gate_file(folder: Path, *, passed: bool, override: str | None = None) -> Path:
    path = folder / f"gate-{passed}-{bool(override)}.json"
    gate = {
        "is_green": passed,
        "may_deploy": passed or bool(override),
        "override": {"why": override, "who": "pastor"} if override else None,
    }
    path.write_text(json.dumps(gate))
    return path
