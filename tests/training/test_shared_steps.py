"""A step is the same however its rows are shared out: over batches, or over processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.tiny.pairs import EN_ES
from tests.training.two_processes import run_as_two
from training.rows import Row, write_rows

pytestmark = pytest.mark.training

ROWS = [Row(*pair, "bible", "tests", weight=1.0 + at % 3) for at, pair in enumerate(EN_ES)]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_rows(tmp_path / "mix/train.jsonl", ROWS)
    write_rows(tmp_path / "mix/dev.jsonl", ROWS[:2])
    return tmp_path / "mix"


def marian_options(data: Path, steps: int) -> list[str]:
    from tests.tiny.marian import marian_hf

    told = ["--data", data, "--model", marian_hf(), "--steps", steps, "--warmup-steps", 0]
    told += ["--learning-rate", 0.001, "--dropout", 0, "--precision", "float32", "--no-muon"]
    return list(map(str, told))


def run_here(job: Any, *told: object) -> None:
    result = CliRunner().invoke(job, list(map(str, told)))
    assert result.exit_code == 0, result.output


def noted(out: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((out / "run.json").read_text())["metrics"]
    return metrics


def optimiser_state(out: Path) -> dict[str, Any]:
    from training.checkpoints import read_state

    kept = read_state(out / "checkpoint.pt")
    assert kept is not None
    state: dict[str, Any] = kept["optimiser"]
    return state


def test_marian_steps_the_same_over_one_batch_and_over_many(data: Path, tmp_path: Path) -> None:
    import torch

    from tests.tiny.marian import marian_hf
    from training.marian import marian
    from training.small_model.model import MarianTokens, read_model
    from training.small_model.token_batches import batch_indexes, encode

    encoded = encode(ROWS, MarianTokens(marian_hf()), max_tokens=128)
    assert len(encoded) == len(ROWS)
    half = next(size for size in range(16, 10_000) if len(batch_indexes(encoded, size, 1)) == 2)
    shared = {1: 10_000, 2: half, len(ROWS): 16}
    for count, batch_tokens in shared.items():
        sizes = ("--accumulate", count, "--batch-tokens", batch_tokens)
        run_here(marian, *marian_options(data, 1), *sizes, "--out", tmp_path / str(count))

    names = [name for name, _ in read_model(marian_hf()).named_parameters()]
    whole, noted_whole = optimiser_state(tmp_path / "1"), noted(tmp_path / "1")
    assert noted_whole["last_gradient_norm"] > 0.1
    for count in (2, len(ROWS)):
        found, noted_found = optimiser_state(tmp_path / str(count)), noted(tmp_path / str(count))
        for name in ("last_gradient_norm", "last_log_loss"):
            assert noted_found[name] == pytest.approx(noted_whole[name], rel=1e-4)
        assert noted_found["target_tokens"] == noted_whole["target_tokens"]
        # After one step, Adam's first moment is a tenth of the gradient.
        moments = (state["optimisers"][0]["state"].values() for state in (whole, found))
        for one, other in zip(*moments, strict=True):
            torch.testing.assert_close(one["exp_avg"], other["exp_avg"], rtol=1e-3, atol=1e-7)
        for name, one, other in zip(names, whole["masters"], found["masters"], strict=True):
            # A softmax does not see the keys' bias: its gradient is rounding, which Adam enlarges.
            if not name.endswith("k_proj.bias"):
                torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


def test_two_processes_train_a_marian_as_one_does(data: Path, tmp_path: Path) -> None:
    import torch

    from training.marian import marian

    told = (*marian_options(data, 3), "--batch-tokens", 100)
    one, two = tmp_path / "one", tmp_path / "two"
    run_here(marian, *told, "--accumulate", 2, "--out", one)
    run_as_two("marian", *told, "--accumulate", 1, "--out", two)
    for name in ("masters", "averages"):
        pairs = zip(optimiser_state(one)[name], optimiser_state(two)[name], strict=True)
        for first, second in pairs:
            torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-6)
    for name in ("last_gradient_norm", "last_log_loss", "target_tokens"):
        assert noted(two)[name] == pytest.approx(noted(one)[name], rel=1e-5)


def test_two_processes_train_a_gemma_as_one_does(data: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    from tests.training.gemma_folder import write_text_model
    from training.gemma import gemma

    model = write_text_model(tmp_path / "translategemma-text")
    told = ("--data", data, "--model", model, "--steps", 3, "--eval-steps", 3, "--micro-batch", 2)
    told += ("--dropout", 0, "--learning-rate", 0.01)
    one, two = tmp_path / "one", tmp_path / "two"
    run_here(gemma, *told, "--batch", 4, "--out", one)
    run_as_two("gemma", *told, "--batch", 2, "--out", two)
    found, expected = (load_file(out / "adapter/adapter_model.safetensors") for out in (two, one))
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(found[name], weight, rtol=1e-5, atol=1e-6)
    # Adam and the clipping would make up for gradients that are all half as large.
    assert losses_and_norms(two) == pytest.approx(losses_and_norms(one), rel=1e-4)


def losses_and_norms(out: Path) -> list[float]:
    """Of each step of a transformers Trainer."""
    state = json.loads((out / "checkpoints/checkpoint-3/trainer_state.json").read_text())
    told = [entry for entry in state["log_history"] if "grad_norm" in entry]
    assert len(told) == 3
    return [entry[name] for entry in told for name in ("loss", "grad_norm")]
