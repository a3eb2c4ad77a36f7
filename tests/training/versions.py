"""Exports, and what a real gate says of them, that tests make without a trained model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from cli.model_folder import write_manifest
from services.model_manifest import KeptFile, Manifest, files_of, read_manifest, sha256_of
from services.stt.engine import ENGINES
from training.evaluation.translators import describe
from training.gate import gate

_THRESHOLDS = """
[[check]]
says = "numbers"
value = "translation.overall.plain.numbers.new"
least = 0.99
"""


@dataclass
class _Loaded:
    model: str = "tiny"
    size_bytes: int | None = None


def sealed(
    folder: Path, name: str = "glossa-en-es", engine: str = "marian", **lineage: str
) -> Path:
    """A folder of model files as training.export leaves it: with the manifest of what is in it."""
    files = {
        path_name: KeptFile(path.stat().st_size, sha256_of(path))
        for path_name, path in files_of(folder)
    }
    lineage |= {"engine": engine, "pair": "en>es", "base": "none"}
    write_manifest(folder, Manifest(name, "", "", "Apache-2.0", files, lineage))
    return folder


def small_export(
    folder: Path, content: str = "weights", engine: str = "marian", **lineage: str
) -> Path:
    """One that no service could load, and that nobody needs a library for."""
    folder.mkdir(parents=True)
    (folder / "model.bin").write_text(content)
    (folder / "config.json").write_text("{}")
    check = {"count": 0, "rows": [], "source": None, "export": None}
    (folder / "check.json").write_text(json.dumps(check))
    return sealed(folder, engine=engine, **lineage)


def gate_file(
    export: Path,
    *,
    passed: bool,
    override: str | None = None,
    spec: str = "",
    checks: Path | None = None,
) -> Path:
    """What training.gate writes of an evaluation of an export, or of what `spec` names.

    Args:
        checks: an export whose comparison with its source is gated, too.
    """
    manifest = read_manifest(export)
    assert manifest is not None
    spec = spec or f"{manifest.lineage['engine']}:{export}"
    system = "stt_new" if manifest.lineage["engine"] in ENGINES else "new"
    evaluation = {
        "schema": "glossa-evaluation",
        "direction": {"source": "en", "target": "es"},
        "systems": {system: describe(spec, _Loaded())},
        "translation": {"overall": {"plain": {"numbers": {"new": 1.0 if passed else 0.5}}}},
    }
    folder = export.with_name(f"{export.name}-judged")
    folder.mkdir(exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    (folder / "gate.toml").write_text(_THRESHOLDS)
    told = ["--evaluation", folder, "--thresholds", folder / "gate.toml"]
    told += ["--export", checks] if checks else []
    told += ["--override", override, "--who", "pastor"] if override else []
    done = CliRunner().invoke(gate, [str(each) for each in told])
    assert done.exit_code in (0, 1), done.output
    return folder / "gate.json"
