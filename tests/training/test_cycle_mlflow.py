"""A cycle in MLflow: its own library writes it into a real store and reads it back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from training.cycle import cycle
from training.cycling.mlflow_log import log_cycle
from training.cycling.plan import read_plan
from training.cycling.record import CycleRecord
from training.run_folder import RunFolder

# Nobody listens there: the first step fails at once.
NO_REDIS = '[snapshot]\nredis = "redis://127.0.0.1:9"'


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cycle, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def datasets_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot's step makes it also when it fails."""
    monkeypatch.setenv("GLOSSA_DATASETS_DIR", str(tmp_path / "datasets"))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """MLflow's own store of files; its server wants another database."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return (tmp_path / "mlflow").as_uri()


def logged(store: str) -> Any:
    """The one run of the one model."""
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("glossa/glossa-en-es")
    assert experiment is not None
    (found,) = client.search_runs([experiment.experiment_id])
    return found


@pytest.mark.training
def test_options_and_figures_of_a_cycle_are_logged(
    plan_file: Callable[..., Path], plan_folder: Path, store: str
) -> None:
    record = CycleRecord.begin(
        plan_folder / "20261123-023000", read_plan(plan_file(mix="pairs = 300")), 7
    )
    for step in ("mix", "train"):
        record.begin_step(step, ["python"])
        record.end_step(step, "done")
    with RunFolder(record.folder / "train", "marian", {}) as training:
        training.note(best={"step": 700, "chrf": 56.1}, parameters=9_155_584)
    with RunFolder(record.folder / "evaluation", "evaluate", {}) as evaluation:
        evaluation.note(overall={"plain": {"chrf": {"new": 61.5, "low": None}}}, name="of no use")
    record.note(version="cycle7_abcd0123")
    record.end("done")

    log_cycle(record, store)

    found = logged(store)
    assert (found.info.run_name, found.info.status) == ("20261123-023000", "FINISHED")
    assert found.data.params["mix.pairs"] == "300"
    assert found.data.params["export.licence"] == "Apache-2.0"
    tags = {name: found.data.tags[name] for name in ("trainer", "cycle", "status", "version")}
    told = ("marian", "7", "done", "cycle7_abcd0123")
    assert tags == dict(zip(tags, told, strict=True))
    metrics = found.data.metrics
    assert metrics["train.best.chrf"] == 56.1
    assert metrics["train.parameters"] == 9_155_584
    assert metrics["evaluation.overall.plain.chrf.new"] == 61.5
    assert {"mix.duration_s", "train.duration_s"} <= metrics.keys()


@pytest.mark.training
def test_a_cycle_that_fails_is_logged_as_one(
    plan_file: Callable[..., Path], plan_folder: Path, store: str
) -> None:
    done = run("--plan", plan_file(head=NO_REDIS), "--mlflow", store, "--out", "cycle")
    assert done.exit_code == 1, done.output
    assert "not logged" not in done.output
    found = logged(store)
    assert (found.info.run_name, found.data.tags["status"]) == ("cycle", "failed")
    assert "snapshot.duration_s" in found.data.metrics


@pytest.mark.training
def test_what_mlflow_refuses_is_told_and_the_cycle_stands(
    plan_file: Callable[..., Path], plan_folder: Path
) -> None:
    (plan_folder / "file").touch()
    nowhere = (plan_folder / "file" / "mlflow").as_uri()
    done = run("--plan", plan_file(head=NO_REDIS), "--mlflow", nowhere, "--out", "cycle")
    assert "not logged to MLflow: " in done.output
    assert CycleRecord.read(plan_folder / "cycle").status == "failed"


def test_mlflow_that_is_not_installed_is_told_before_anything_is_done(
    plan_file: Callable[..., Path], plan_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    done = run("--plan", plan_file(), "--mlflow", "http://127.0.0.1:9", "--out", "cycle")
    assert done.exit_code == 2
    assert "GLOSSA_EXTRAS=training,mlflow ./glossa doctor" in done.output
    assert not (plan_folder / "cycle").exists()
