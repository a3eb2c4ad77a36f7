"""A tiny RegressionMetric in the layout of COMET-22, and what unbabel-comet itself says of it.

The library lives in the environment of qe alone, so everything that needs it runs there:
`python -m tests.tiny.regression_metric build FOLDER` (or `build-without-estimator`), and
`... predict FOLDER`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.tiny import pairs, unified_metric
from tests.tiny.cache import built


def regression_metric(python: str, *, without_estimator: bool = False) -> Path:
    """The folder of a model; seconds the first time. `python`: of an environment with comet."""
    sources = Path(__file__), Path(unified_metric.__file__), Path(pairs.__file__)
    command = "build-without-estimator" if without_estimator else "build"
    return built(f"regression-metric-{command}", lambda at: _run(python, command, at), *sources)


def predicted(python: str, folder: Path, triples: Sequence[tuple[str, str, str]]) -> list[float]:
    """What the library's own `predict()` gives for (source, translation, reference)."""
    said = _run(python, "predict", folder, given=json.dumps(triples))
    scores: list[float] = json.loads(said.splitlines()[-1])
    return scores


def _run(python: str, command: str, folder: Path, given: str = "") -> str:
    done = subprocess.run(
        [python, "-m", __name__, command, str(folder)],
        cwd=unified_metric.REPOSITORY,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        input=given,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stderr[-3000:]}")
    return done.stdout


# ---- below: in the environment of qe ----


def _build(folder: Path, *, without_estimator: bool) -> None:
    import pytorch_lightning
    import torch
    from comet.models.regression.regression_metric import RegressionMetric

    encoder = folder / "encoder"
    unified_metric._write_encoder(encoder)
    torch.manual_seed(0)
    hparams: dict[str, Any] = {
        "encoder_model": "XLM-RoBERTa",
        "pretrained_model": str(encoder),
        "layer_transformation": "sparsemax",
        "layer_norm": False,
        "hidden_sizes": [48, 16],
    }
    metric = RegressionMetric(**hparams, load_pretrained_weights=False, local_files_only=True)
    hparams["pretrained_model"] = "xlm-roberta-large"
    weights = metric.state_dict()
    if without_estimator:
        weights = {
            name: each for name, each in weights.items() if not name.startswith("estimator.")
        }
    checkpoint = {
        "state_dict": weights,
        "hyper_parameters": dict(hparams),
        "pytorch-lightning_version": pytorch_lightning.__version__,
    }
    unified_metric._write(folder, checkpoint, {**hparams, "class_identifier": "regression_metric"})


def _predict(folder: Path, triples: list[list[str]]) -> list[float]:
    from comet.models.regression.regression_metric import RegressionMetric

    metric = RegressionMetric.load_from_checkpoint(
        folder / "checkpoints" / "model.ckpt",
        pretrained_model=str(folder / "encoder"),
        load_pretrained_weights=False,
        local_files_only=True,
        strict=True,
        map_location="cpu",
    )
    said = metric.predict(
        [{"src": source, "mt": made, "ref": truth} for source, made, truth in triples],
        batch_size=4,
        gpus=0,
        progress_bar=False,
        num_workers=0,
    )
    return [float(score) for score in said.scores]


if __name__ == "__main__":
    if sys.argv[1].startswith("build"):
        _build(Path(sys.argv[2]), without_estimator=sys.argv[1] != "build")
    else:
        print(json.dumps(_predict(Path(sys.argv[2]), json.load(sys.stdin))))
