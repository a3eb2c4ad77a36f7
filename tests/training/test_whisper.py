"""A Whisper learns from clips, loses nothing when killed, and steps the same however shared out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests import speech
from tests.training.two_processes import run_as_two
from training.recogniser.term_weights import Terms, token_weights

SENTENCES = (
    "We are saved by grace.",
    "The Lord is my shepherd.",
    "Let us pray.",
    "Christ is risen.",
)
SPANISH = "Somos salvos por gracia."
ROOT = Path(__file__).parents[2]


def test_the_longest_term_counts_whatever_its_case() -> None:
    terms = Terms(["grace", "Holy Spirit", "spirit", "born again"])
    text = "The holy spirit, and a Spirit: be born-again. Born? Again! Graceful."
    assert [text[a:b] for a, b in terms.spans(text)] == ["holy spirit", "Spirit", "born-again"]


def test_each_token_that_holds_a_part_of_a_term_counts_for_more() -> None:
    offsets = [(0, 3), (3, 7), (7, 9), (9, 10)]  # "By|_gra|ce|."
    assert token_weights(offsets, [(4, 9)], 3.0) == [1.0, 3.0, 3.0, 1.0]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--max-steps", 0, "x>=1"),
        ("--learning-rate", 0, "0<x<=1"),
        ("--weight-decay", -0.1, "0<=x<=1"),
        ("--evaluate-every", 0, "x>0"),
        ("--evaluate-every", 1.5, "or whole steps"),
    ],
)
def test_what_no_training_can_be_told_is_refused(
    tmp_path: Path, option: str, value: float, said: str
) -> None:
    from click.testing import CliRunner

    from training.whisper import whisper

    told = arguments(tmp_path, tmp_path, tmp_path / "out", option, value)
    done = CliRunner().invoke(whisper, told)
    assert done.exit_code == 2
    assert said in done.output
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sentences that flite speaks, in two languages and two accents."""
    import soundfile

    folder = tmp_path_factory.mktemp("clips")
    for split in ("train", "validation"):
        rows = []
        spoken = [(text, "en", "scottish") for text in SENTENCES]
        spoken += [(text, "en", "nigerian") for text in SENTENCES] + [(SPANISH, "es", "")]
        for index, (text, language, accent) in enumerate(spoken):
            name = f"a/{index}.flac"
            path = folder / split / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, speech.spoken(text), 16_000)
            weight = 1.5 if accent == "nigerian" else 1.0
            rows.append(
                {"file_name": name, "transcription": text, "language": language,
                 "accent": accent, "weight": weight}
            )  # fmt: skip
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / split / "metadata.jsonl").write_text(lines)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.training.whisper_folder import write_whisper

    return write_whisper(tmp_path_factory.mktemp("whisper") / "model", (*SENTENCES, SPANISH))


def arguments(clips: Path, model: Path, out: Path, *more: object) -> list[str]:
    options = {
        "--clips": clips, "--model": model, "--out": out, "--max-steps": 20, "--batch-size": 4,
        "--accumulate": 1, "--learning-rate": 0.02, "--evaluate-every": 10, "--workers": 0,
        "--rank": 8,
    }  # fmt: skip
    told = [str(one) for pair in options.items() for one in pair]
    return [*told, *map(str, more)]


def run(clips: Path, model: Path, out: Path, *more: object) -> dict[str, Any]:
    """Runs the job here; its manifest."""
    from click.testing import CliRunner

    from training.whisper import whisper

    result = CliRunner().invoke(whisper, arguments(clips, model, out, *more))
    assert result.exit_code == 0, (result.output, result.exception)
    manifest: dict[str, Any] = json.loads((out / "run.json").read_text())
    manifest["output"] = result.output
    return manifest


@pytest.fixture(scope="module")
def trained(clips: Path, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run."""
    out = tmp_path_factory.mktemp("trained") / "out"
    manifest = run(clips, model, out)
    (out.parent / "output.txt").write_text(manifest["output"])
    return out


def adapter(out: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    tensors: dict[str, Any] = load_file(out / "adapter/adapter_model.safetensors")
    return tensors


def assert_same_adapter(one: Path, other: Path) -> None:
    import torch

    first, second = adapter(one), adapter(other)
    assert first.keys() == second.keys()
    for name, weights in first.items():
        torch.testing.assert_close(weights, second[name], rtol=0, atol=0)


@pytest.mark.training
def test_twenty_steps_bring_the_loss_down_and_errors_are_counted_by_accent(trained: Path) -> None:
    metrics = json.loads((trained / "run.json").read_text())["metrics"]
    assert metrics["steps"] == 20
    assert metrics["after"]["loss"] < 0.85 * metrics["before"]["loss"]
    for when in ("before", "after"):
        assert {"wer", "wer_scottish", "wer_nigerian", "term_recall"} <= metrics[when].keys()
    shown = (trained.parent / "output.txt").read_text()
    assert "word error rate, nigerian" in shown
    assert list((trained / "tensorboard").iterdir())


@pytest.mark.training
def test_a_killed_run_that_is_resumed_ends_where_it_would_have_ended(
    clips: Path, model: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "training.whisper", *arguments(clips, model, out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    state = out / "checkpoints/checkpoint-10/trainer_state.json"
    deadline = time.monotonic() + 120
    while not state.is_file() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert state.is_file()
    assert not (out / "adapter").exists()
    resumed = run(clips, model, out, "--resume")
    whole = json.loads((trained / "run.json").read_text())
    assert resumed["metrics"] == whole["metrics"]
    assert_same_adapter(out, trained)


@pytest.mark.training
def test_a_step_is_the_same_however_its_clips_are_shared_out(
    clips: Path, model: Path, tmp_path: Path
) -> None:
    options = ("--max-steps", 1, "--dropout", 0, "--evaluate-every", 1, "--warmup-share", 0)
    for batch_size, accumulate in ((4, 1), (2, 2), (1, 4)):
        out = tmp_path / f"{batch_size}x{accumulate}"
        sizes = ("--batch-size", batch_size, "--accumulate", accumulate)
        run(clips, model, out, *options, *sizes)
    for shared_out in ("2x2", "1x4"):
        assert_same_gradient(tmp_path / "4x1", tmp_path / shared_out)


@pytest.mark.training
def test_two_processes_train_as_one_does(clips: Path, model: Path, tmp_path: Path) -> None:
    import torch

    one, two = tmp_path / "one", tmp_path / "two"
    options = ("--max-steps", 3, "--dropout", 0, "--evaluate-every", 3, "--batch-size", 1)
    run(clips, model, one, *options, "--accumulate", 2)
    run_as_two("whisper", *arguments(clips, model, two, *options, "--accumulate", 1))
    found, expected = adapter(two), adapter(one)
    assert found.keys() == expected.keys()
    for name, weights in expected.items():
        torch.testing.assert_close(found[name], weights, rtol=1e-4, atol=1e-6)
    losses = [json.loads((out / "run.json").read_text())["metrics"]["after"] for out in (two, one)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def assert_same_gradient(one: Path, other: Path) -> None:
    """Adam's first moment after one step is the gradient's direction; its norm is in the log."""
    import torch

    moments, norms = [], []
    for out in (one, other):
        step = out / "checkpoints/checkpoint-1"
        state = torch.load(step / "optimizer.pt")["state"]
        moments.append(torch.cat([state[key]["exp_avg"].flatten() for key in sorted(state)]))
        logged = json.loads((step / "trainer_state.json").read_text())["log_history"]
        norms.append(next(line["grad_norm"] for line in logged if "grad_norm" in line))
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)
    assert moments[0].abs().max() > 1e-4
    torch.testing.assert_close(moments[0], moments[1], rtol=1e-4, atol=1e-7)


@pytest.mark.training
def test_the_loss_is_the_mean_by_weights(clips: Path, model: Path, tmp_path: Path) -> None:
    import torch
    from transformers.models.whisper.modeling_whisper import shift_tokens_right

    from training.recogniser.lora import lora_trainer
    from training.whisper import whisper

    told = arguments(clips, model, tmp_path / "out")
    options = whisper.make_context("whisper", told).params
    trainer = lora_trainer(options)
    trainer.model.eval()
    batches = list(trainer.get_eval_dataloader())
    total = trainer._get_num_items_in_batch(batches, torch.device("cpu"))
    wanted = weight = torch.tensor(0.0)
    loss = torch.tensor(0.0)
    with torch.no_grad():
        for batch in batches:
            loss = loss + trainer.compute_loss(trainer.model, batch, num_items_in_batch=total)
            labels, start = batch["labels"], trainer.model.config
            given = shift_tokens_right(labels, start.pad_token_id, start.decoder_start_token_id)
            logits = trainer.model(
                input_features=batch["input_features"], decoder_input_ids=given
            ).logits
            chosen = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
            wanted = wanted - (chosen * batch["label_weights"]).sum()
            weight = weight + batch["label_weights"].sum()
    torch.testing.assert_close(loss, wanted / weight)


@pytest.mark.training
def test_terms_count_as_much_as_they_are_told_to(clips: Path, model: Path) -> None:
    from training.clips.folder import read_clips
    from training.recogniser.examples import (
        IGNORED,
        WhisperClips,
        WhisperFolder,
        collated,
        transcript,
    )

    folder = WhisperFolder(model)
    train = read_clips(clips, "train")
    terms = {"en": Terms(["grace"]), "es": Terms(["gracia"])}
    said = [transcript(folder, clip, terms, 3.0) for clip in train]
    batch = collated([WhisperClips(folder, train, said, range(9))[at] for at in (0, 2, 8)])
    for row, term in ((0, "grace"), (2, "gracia")):
        weighed = batch["labels"][row][batch["label_weights"][row] == 3.0]
        assert folder.text(weighed.tolist()) == term
    short = batch["labels"][1]
    assert (short == IGNORED).any()  # "Let us pray." is the shortest
    assert not batch["label_weights"][1][short == IGNORED].any()
    assert set(batch["label_weights"][1][short != IGNORED].tolist()) == {1.0}
    start = folder.tokenizer.convert_ids_to_tokens(batch["labels"][2][:3].tolist())
    assert start == ["<|es|>", "<|transcribe|>", "<|notimestamps|>"]
