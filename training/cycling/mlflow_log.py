"""A cycle's options and figures in an MLflow server, for those who keep one."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from services.errors import InvalidInput
from training.cycling.record import CycleRecord
from training.run_folder import MANIFEST


def check_mlflow() -> None:
    """Raises InvalidInput: MLFLOW_MISSING."""
    if importlib.util.find_spec("mlflow") is None:
        raise InvalidInput(
            "MLFLOW_MISSING",
            "--mlflow wants its library: GLOSSA_EXTRAS=training,mlflow ./glossa doctor",
        )


def log_cycle(record: CycleRecord, uri: str) -> None:
    """Adds the cycle as a run of the experiment that the model is. Raises what MLflow raises."""
    mlflow: Any = importlib.import_module("mlflow")
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment(f"glossa/{record.content['model_name']}")
    with mlflow.start_run(run_name=record.folder.name):
        mlflow.set_tags(
            {
                "trainer": record.content["trainer"],
                "cycle": record.number,
                "status": record.status,
                "version": record.content.get("version", ""),
                "git_revision": record.content["git_revision"],
            }
        )
        for step, table in record.content["plan"]["tables"].items():
            mlflow.log_params({f"{step}.{name}": str(value) for name, value in table.items()})
        figures = {f"{step}.duration_s": kept["duration_s"] for step, kept in record.steps.items()}
        for part in ("train", "evaluation"):
            figures |= _figures(part, _metrics(record.folder / part / MANIFEST))
        mlflow.log_metrics(figures)


def _metrics(manifest: Path) -> Any:
    if not manifest.exists():
        return {}
    return json.loads(manifest.read_text(encoding="utf-8"))["metrics"]


def _figures(name: str, value: Any) -> dict[str, float]:
    """The numbers in it, by the names on the way to them."""
    if isinstance(value, dict):
        return {
            found: number
            for key, inner in value.items()
            for found, number in _figures(f"{name}.{key}", inner).items()
        }
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {name: float(value)} if is_number else {}
