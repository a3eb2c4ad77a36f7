"""COMET in the environment that holds it: a tiny model, loaded as the real one is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.errors import EngineFailed
from tests.tiny import pairs
from tests.tiny.regression_metric import predicted, regression_metric
from tests.tiny.unified_metric import unified_metric
from training.evaluate import evaluate
from training.evaluation.comet import comet_scores

pytestmark = pytest.mark.engines

TRIPLES = [
    (source, target, pairs.EN_ES[at - 1][1]) for at, (source, target) in enumerate(pairs.EN_ES)
]


def test_scores_are_the_librarys_own(qe_python: str) -> None:
    model = regression_metric(qe_python)
    scores = comet_scores(TRIPLES, model, Path(qe_python))
    assert scores == pytest.approx(predicted(qe_python, model, TRIPLES), abs=1e-4)
    assert len(set(scores)) > len(TRIPLES) / 2


def test_a_checkpoint_without_all_weights_is_refused(qe_python: str) -> None:
    model = regression_metric(qe_python, without_estimator=True)
    with pytest.raises(EngineFailed, match="lacks 6 weights, among them estimator"):
        comet_scores(TRIPLES[:1], model, Path(qe_python))


def test_a_metric_without_reference_is_refused(qe_python: str) -> None:
    with pytest.raises(EngineFailed, match="not a regression_metric"):
        comet_scores(TRIPLES[:1], unified_metric(qe_python), Path(qe_python))


def test_an_evaluation_has_comet(qe_python: str, tmp_path: Path) -> None:
    model = regression_metric(qe_python)
    done = CliRunner().invoke(
        evaluate,
        [
            *("--out", str(tmp_path / "out"), "--new", "apertium", "--no-as-heard"),
            *("--comet", str(model), "--comet-python", qe_python),
        ],
    )
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert isinstance(found["translation"]["overall"]["plain"]["comet"]["new"], float)
    assert found["signatures"]["comet"] == model.name
