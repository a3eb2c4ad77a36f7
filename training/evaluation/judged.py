"""Which model was judged: a gate opens the way for that one, and for no other.

evaluation.json has the fingerprint of each system under "systems". gate.json keeps those of the new
ones under "judged", and under "export" that of the export whose check it was held against. Who
registers or deploys an export asks `is_of` whether a gate is its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.errors import InvalidInput
from services.model_manifest import read_manifest
from training.run_folder import fingerprint

GATE = "gate.json"
GATE_SCHEMA = "glossa-gate"
_NEW = ("new", "stt_new")

Systems = Mapping[str, Mapping[str, Any]]


def judged_in(evaluation: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Spec and fingerprint of what an evaluation judged, without what it was compared with."""
    systems = evaluation.get("systems", {})
    return {
        name: {key: systems[name][key] for key in ("spec", "sha256")}
        for name in _NEW
        if name in systems
    }


def is_export_or_source(judged: Systems, export: Path) -> bool:
    """Whether the folder of an export was judged, or the model that it was made of.

    A base and an adapter that were merged into an export are two: the export itself is judged then.
    """
    manifest = read_manifest(export)
    if manifest is None:
        return False
    lineage = manifest.lineage
    source = None if lineage.get("adapter_sha256") else lineage.get("model_sha256")
    is_source = source is not None and any(each["sha256"] == source for each in judged.values())
    return is_source or _is_judged(judged, str(lineage.get("engine")), fingerprint(export))


def is_of(gate: Mapping[str, Any], engine: str, sha256: str) -> bool:
    """Whether a gate was held for the export of a fingerprint, spoken with by an engine.

    One that was held against an export's check is that export's: it is red for another model's.
    """
    if not names_its_model(gate):
        return False
    if gate["export"] is not None:
        return bool(gate["export"]["sha256"] == sha256)
    return _is_judged(gate["judged"], engine, sha256)


def names_its_model(gate: Mapping[str, Any]) -> bool:
    """Whether a gate says what it judged, as gates of earlier versions of Glossa do not."""
    return "judged" in gate


def read_gate(path: Path) -> dict[str, Any]:
    """Raises InvalidInput: NO_GATE."""
    try:
        gate: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if gate["schema"] != GATE_SCHEMA:
            raise ValueError(f"its schema is {gate['schema']!r}")
        is_of(gate, "", "")  # raises for what is not where it belongs
        _ = gate["is_green"], gate["may_deploy"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            "NO_GATE", f"{path} is not what training.gate writes ({error!r})"
        ) from error
    return gate


def _is_judged(judged: Systems, engine: str, sha256: str) -> bool:
    """Whether a folder of that fingerprint was judged as that engine speaks with it."""
    return any(
        each["sha256"] == sha256 and each["spec"].partition(":")[0] == engine
        for each in judged.values()
    )
