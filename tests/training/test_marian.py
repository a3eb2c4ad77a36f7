"""The trainer of small Marian models, on sentences that a tiny model learns in seconds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.tiny.pairs import EN_ES
from training.rows import Row, write_rows

pytestmark = pytest.mark.training

TINY = (
    *("--model-width", "64", "--feed-forward-width", "128", "--encoder-layers", "1"),
    *("--decoder-layers", "1", "--vocabulary-size", "220", "--batch-tokens", "200"),
    *("--warmup-steps", "5", "--precision", "float32", "--accumulate", "1"),
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    """On a busy machine two that wait for each other take thrice as long."""
    import torch

    torch.set_num_threads(1)


def mix_of(folder: Path, count: int = 4) -> Path:
    rows = [
        Row(source, target, "bible", "tiny", tag="<archaic>" if index % 5 == 0 else "")
        for index, (source, target) in enumerate(EN_ES)
    ]
    write_rows(folder / "train.jsonl", rows * count)
    write_rows(folder / "dev.jsonl", rows)
    return folder


def train(data: Path, out: Path, *options: str) -> Result:
    from training.marian import marian

    arguments = ["--data", str(data), "--out", str(out), *TINY, *options]
    return CliRunner().invoke(marian, arguments, catch_exceptions=False)


def logged(out: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((out / "run.json").read_text())["metrics"]
    return metrics


def test_twenty_steps_lower_the_loss_and_seeds_repeat_it(tmp_path: Path) -> None:
    data = mix_of(tmp_path / "mix")
    losses = {}
    for name, seed, steps in (("short", 1, 1), ("one", 1, 20), ("same", 1, 20), ("other", 2, 2)):
        done = train(data, tmp_path / name, "--steps", str(steps), "--seed", str(seed))
        assert done.exit_code == 0, done.output
        losses[name] = logged(tmp_path / name)["last_log_loss"]
    assert losses["one"] < 0.9 * losses["short"]
    assert losses["same"] == losses["one"]
    assert losses["other"] != losses["one"]
    assert (tmp_path / "one" / "model" / "model.safetensors").exists()
    assert list((tmp_path / "one" / "tensorboard").iterdir())


def test_a_killed_run_that_is_resumed_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    data = mix_of(tmp_path / "mix")
    options = ("--steps", "40", "--evaluate-every", "10")
    assert train(data, tmp_path / "whole", *options).exit_code == 0
    out = tmp_path / "killed"
    arguments = ["--data", str(data), "--out", str(out), *TINY, *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "training.marian", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (out / "checkpoint.pt").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert json.loads((out / "run.json").read_text())["status"] == "running"
    refused = train(data, out, *options)
    assert refused.exit_code == 1
    assert "--resume" in refused.output
    differs = train(data, out, "--steps", "41", "--resume")
    assert "other options" in differs.output
    assert train(data, out, *options, "--resume").exit_code == 0
    whole, resumed = logged(tmp_path / "whole"), logged(out)
    assert resumed["last_log_loss"] == pytest.approx(whole["last_log_loss"], rel=1e-5)
    assert resumed["target_tokens"] == whole["target_tokens"]
    assert resumed["best"]["chrf"] == pytest.approx(whole["best"]["chrf"], abs=0.01)


def test_a_run_that_is_stopped_while_it_is_judged_is_judged_when_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training.small_model import translations

    data, out = mix_of(tmp_path / "mix"), tmp_path / "out"
    judged = translations.dev_scores

    def stopped(*_: Any) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(translations, "dev_scores", stopped)
    done = train(data, out, "--steps", "3")
    assert done.exit_code == 130
    assert "stopped at step 3; --resume" in done.output
    assert not (out / "model").exists()
    last_log_loss = logged(out)["last_log_loss"]
    monkeypatch.setattr(translations, "dev_scores", judged)
    for _ in range(2):  # and a run that has ended stays as it is
        done = train(data, out, "--steps", "3", "--resume")
        assert done.exit_code == 0, done.output
        assert logged(out)["best"]["step"] == 3
        assert logged(out)["last_log_loss"] == last_log_loss > 0
        assert (out / "model/model.safetensors").exists()
    assert len((out / "curve.jsonl").read_text().splitlines()) == 1


def test_it_goes_on_from_a_model_and_translates_what_it_was_taught(tmp_path: Path) -> None:
    from training.small_model.model import MarianTokens, read_model
    from training.small_model.translations import translate

    data = mix_of(tmp_path / "mix", count=20)
    first = tmp_path / "first"
    assert (
        train(data, first, "--steps", "150", "--average-decay", "0.9", "--dropout", "0").exit_code
        == 0
    )
    second = train(
        data,
        tmp_path / "second",
        *(
            "--model",
            str(first / "model"),
            "--steps",
            "150",
            "--average-decay",
            "0.9",
            "--dropout",
            "0",
        ),
    )
    assert second.exit_code == 0, second.output
    assert logged(tmp_path / "second")["best"]["chrf"] > logged(first)["best"]["chrf"]
    folder = tmp_path / "second" / "model"
    start = read_model(folder).get_input_embeddings().weight[MarianTokens(folder).pad_id]
    assert start.abs().max() == 0, "CTranslate2 begins a translation with zeros"
    untagged = [pair for index, pair in enumerate(EN_ES) if index % 5]
    sources, references = zip(*untagged, strict=True)
    translations = translate(read_model(folder), MarianTokens(folder), sources, beam_size=4)
    right = sum(map(str.__eq__, translations, references))
    assert right >= 0.8 * len(untagged), translations


def test_the_loss_and_its_gradient_are_those_of_torch() -> None:
    import numpy as np
    import torch

    from training.small_model.loss import summed_loss
    from training.small_model.token_batches import IGNORED, Batch

    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 7, 40, generator=generator).requires_grad_()
    labels = torch.randint(0, 40, (3, 7), generator=generator)
    labels[1, 4:] = IGNORED
    weights = torch.tensor([1.0, 2.0, 0.5])

    class Given(torch.nn.Module):
        """Answers with these logits, whatever it reads."""

        config = SimpleNamespace(decoder_start_token_id=0, pad_token_id=0)

        def forward(self, **inputs: torch.Tensor) -> SimpleNamespace:
            return SimpleNamespace(logits=logits * 1.0)

    batch = Batch(labels, torch.ones_like(labels), labels, weights)
    loss, log_loss = summed_loss(Given(), batch, smoothing=0.2)
    (loss / 3).backward()
    got, logits.grad = logits.grad, None

    def by_torch(smoothing: float) -> torch.Tensor:
        losses = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1),
            labels.flatten(),
            ignore_index=IGNORED,
            reduction="none",
            label_smoothing=smoothing,
        )
        return (losses.view_as(labels) * weights[:, None]).sum()

    (by_torch(0.2) / 3).backward()
    torch.testing.assert_close(loss, by_torch(0.2))
    torch.testing.assert_close(got, logits.grad)
    np.testing.assert_allclose(log_loss, by_torch(0.0).item(), rtol=1e-5)


def test_accumulation_and_padding_change_no_gradient(tmp_path: Path) -> None:
    import torch

    from training.small_model.loss import summed_loss, token_weight
    from training.small_model.model import Size, new_model, new_tokenizer
    from training.small_model.token_batches import encode, padded

    tokens = new_tokenizer(tmp_path, [text for pair in EN_ES for text in pair], 220)
    rows = [
        Row(*pair, "bible", "tiny", weight=1.0 + index % 3) for index, pair in enumerate(EN_ES[:8])
    ]
    encoded = encode(rows, tokens, max_tokens=200)
    torch.manual_seed(1)
    model = new_model(Size(32, 64, 1, 1, len(tokens), dropout=0.0))

    def gradients(parts: list[list[int]]) -> list[torch.Tensor]:
        model.zero_grad()
        batches = [padded(encoded, part, tokens.pad_id) for part in parts]
        total = sum(map(token_weight, batches))
        for batch in batches:
            (summed_loss(model, batch)[0] / total).backward()
        return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]

    whole = gradients([list(range(8))])
    for parts in ([[0, 1, 2], [3], [4, 5, 6, 7]], [[index] for index in range(8)]):
        for one, other in zip(whole, gradients(parts), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    lighter = [Row(*pair, "bible", "tiny") for pair in EN_ES[:8]]
    encoded = encode(lighter, tokens, max_tokens=200)
    assert not torch.allclose(whole[0], gradients([list(range(8))])[0])


def test_a_pass_holds_each_pair_once_in_batches_within_the_limit(tmp_path: Path) -> None:
    import numpy as np

    from training.small_model.model import new_tokenizer
    from training.small_model.token_batches import batch_indexes, encode, passes

    tokens = new_tokenizer(tmp_path, [text for pair in EN_ES for text in pair], 220)
    rows = [Row(*pair, "bible", "tiny") for pair in EN_ES] * 7
    encoded = encode(rows, tokens, max_tokens=30)
    assert encoded.dropped_count == len(rows) - len(encoded) > 0
    batches = batch_indexes(encoded, 120, seed=3)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(encoded)))
    for batch in batches:
        longest = max(
            max(len(encoded.sources[index]), len(encoded.targets[index])) for index in batch
        )
        assert len(batch) == 1 or longest * len(batch) <= 120
    gone_on = passes([encoded, encoded], 120, seed=3, first_batch=len(batches) + 2)
    second_pass = batch_indexes(encoded, 120, seed=4)
    assert next(gone_on)[1].tolist() == second_pass[2].tolist()


def test_what_is_wrong_is_said_with_what_to_do(tmp_path: Path) -> None:
    data = mix_of(tmp_path / "mix")
    missing = train(tmp_path / "nothing", tmp_path / "a")
    assert missing.exit_code == 2
    assert "cannot read" in missing.output
    no_model = train(data, tmp_path / "b", "--model", str(tmp_path))
    assert no_model.exit_code == 2
    assert "there is no model" in no_model.output
    large = train(data, tmp_path / "c", "--vocabulary-size", "9000")
    assert "smaller --vocabulary-size" in large.output
    (data / "train.jsonl").write_text('{"en": "x"}\n')
    damaged = train(data, tmp_path / "d")
    assert "line 1" in damaged.output
    (mix_of(tmp_path / "undeveloped") / "dev.jsonl").write_text("")
    no_dev = train(tmp_path / "undeveloped", tmp_path / "e")
    assert no_dev.exit_code == 2
    assert "dev.jsonl is empty" in no_dev.output


def test_a_file_in_which_every_row_is_too_long_is_refused(tmp_path: Path) -> None:
    from services.errors import InvalidInput
    from training.small_model.model import new_tokenizer
    from training.small_model.token_batches import encode, passes

    tokens = new_tokenizer(tmp_path, [text for pair in EN_ES for text in pair], 220)
    encoded = encode([Row(*EN_ES[0], "bible", "tiny")], tokens, max_tokens=2)
    with pytest.raises(InvalidInput, match="--max-tokens"):
        next(passes([encoded], 120, seed=1))
