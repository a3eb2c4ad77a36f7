"""Trainers see a curriculum in its order once, and everything else shuffled."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.tiny.pairs import EN_ES
from training.rows import Row, write_rows

pytestmark = pytest.mark.training

ROWS = [Row(*pair, "sermon", "tests") for pair in EN_ES]
ORDERS = ("curriculum", "shuffled")


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def data_of(folder: Path, order: str, count: int) -> Path:
    """As training.mix leaves it."""
    write_rows(folder / "train.jsonl", ROWS[:count])
    write_rows(folder / "dev.jsonl", ROWS[:2])
    (folder / "run.json").write_text(json.dumps({"metrics": {"order": order}}))
    return folder


def noted(out: Path) -> str | None:
    """The order that a run was told; runs from before there was one have none, and go on."""
    options: dict[str, str] = json.loads((out / "run.json").read_text())["options"]
    return options.get("order")


@pytest.mark.parametrize("order", ORDERS)
def test_the_first_pass_forms_its_batches_of_neighbours(order: Any) -> None:
    import numpy as np

    from training.small_model.token_batches import Encoded, passes

    count = 5000
    ids = [np.ones(length, np.int32) for length in np.random.default_rng(1).integers(4, 40, count)]
    encoded = Encoded(ids, ids, np.ones(count, np.float32), 0)
    batches = passes([encoded], 400, 1, order=order)

    def a_pass() -> list[Any]:
        found: list[Any] = []
        while sum(map(len, found)) < count:
            found.append(next(batches)[1])
        assert sorted(np.concatenate(found).tolist()) == list(range(count))
        return found

    def thousands(found: list[Any]) -> list[list[int]]:
        return [sorted(set((each // 1000).tolist())) for each in found]

    first, second = a_pass(), a_pass()
    is_in_order = thousands(first) == sorted([at] for (at, *_) in thousands(first))
    assert is_in_order == (order == "curriculum")
    assert max(map(len, thousands(second))) > 1
    # Within a window nothing is in order, or short sentences would always come first.
    longest = [max(len(ids[at]) for at in each) for each in first[:20]]
    assert longest != sorted(longest)
    gone_on = passes([encoded], 400, 1, order=order, first_batch=len(first) - 1)
    assert next(gone_on)[1].tolist() == first[-1].tolist()
    assert next(gone_on)[1].tolist() == second[0].tolist()


@pytest.mark.parametrize("order", ORDERS)
def test_marian_follows_a_curriculum_also_when_it_was_stopped_in_it(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.tiny.marian import marian_hf
    from training.marian import marian
    from training.small_model import token_batches

    window, count, stop_at = 3, 9, 3
    data = data_of(tmp_path / "mix", order, count)
    padded = token_batches.padded
    seen: list[list[int]] = []
    stops: list[int] = []

    def noting(encoded: Any, indexes: Any, pad_id: int) -> Any:
        if len(seen) in stops:
            stops.clear()
            raise KeyboardInterrupt
        seen.append(indexes.tolist())
        return padded(encoded, indexes, pad_id)

    monkeypatch.setattr(token_batches, "padded", noting)
    monkeypatch.setattr(token_batches, "_WINDOW_ROWS", window)

    def run(out: Path, *more: str) -> int:
        told = ["--data", data, "--out", out, "--model", marian_hf(), "--steps", 12]
        told += ["--batch-tokens", 60, "--accumulate", 1, "--precision", "float32", *more]
        return CliRunner().invoke(marian, [*map(str, told), "--no-muon"]).exit_code

    assert run(tmp_path / "whole") == 0
    whole = seen.copy()
    seen.clear()
    stops.append(stop_at)
    assert run(tmp_path / "cut") == 130
    assert len(seen) == stop_at
    assert run(tmp_path / "cut", "--resume") == 0
    assert seen == whole

    windows = [[at // window for at in batch] for batch in whole]
    first = next(n for n in range(len(whole)) if sum(map(len, whole[:n])) >= count)
    assert stop_at < first < len(whole), "it is to be stopped in the first pass, and see another"
    flat = list(itertools.chain(*windows[:first]))
    assert (flat == sorted(flat)) == (order == "curriculum")
    assert windows[first:] != sorted(windows[first:])
    assert noted(tmp_path / "whole") == (order if order == "curriculum" else None)


@pytest.mark.parametrize("order", ORDERS)
def test_gemma_follows_a_curriculum_and_goes_on_in_the_second_pass(
    order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shutil import rmtree

    from tests.training.gemma_folder import write_text_model
    from training.gemma import gemma
    from training.language_model.target_trainer import TargetTrainer

    model = write_text_model(tmp_path / "translategemma-text")
    data = data_of(tmp_path / "mix", order, 6)
    compute_loss = TargetTrainer.compute_loss
    seen: list[int] = []

    def noting(self: Any, model: Any, inputs: Any, **more: Any) -> Any:
        if more.get("num_items_in_batch") is not None:  # else the largest batch is tried
            ids = tuple(inputs["input_ids"][0].tolist())
            (at,) = (at for at, each in enumerate(self.train_dataset) if each.ids == ids)
            seen.append(at)
        return compute_loss(self, model, inputs, **more)

    monkeypatch.setattr(TargetTrainer, "compute_loss", noting)

    def run(*more: str) -> None:
        told = ["--model", model, "--data", data, "--out", tmp_path / "out", "--epochs", "2"]
        told += ["--batch", "2", "--micro-batch", "1", "--eval-steps", "1", *more]
        result = CliRunner().invoke(gemma, list(map(str, told)))
        assert result.exit_code == 0, result.output

    run()
    assert noted(tmp_path / "out") == (order if order == "curriculum" else None)
    whole = seen.copy()
    assert sorted(whole[:6]) == sorted(whole[6:]) == list(range(6))
    assert (whole[:6] == list(range(6))) == (order == "curriculum")
    assert whole[6:] not in (whole[:6], list(range(6)))
    # As if it had been killed after five of six steps.
    seen.clear()
    rmtree(tmp_path / "out/adapter")
    rmtree(tmp_path / "out/checkpoints/checkpoint-6")
    run("--resume")
    assert seen == whole[10:]
