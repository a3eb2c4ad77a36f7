"""Real runs of training.gemma and training.galore over untrained tiny Gemma 3 models."""

from __future__ import annotations

import json
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner, Result

from tests.tiny.pairs import EN_ES
from tests.training.gemma_folder import (
    PREPROCESSOR,
    write_data,
    write_multimodal_model,
    write_text_model,
)
from training.checkpoints import last_whole
from training.galore import galore
from training.gemma import gemma
from training.rows import Row

pytestmark = pytest.mark.training

ROWS = [
    Row(english, spanish, kind, "tests", weight=weight, tag=tag)
    for (english, spanish), (kind, weight, tag) in zip(
        EN_ES,
        [("bible", 1.0, ""), ("sermon", 2.0, ""), ("bible", 0.5, "<archaic>")] * 6,
        strict=False,
    )
]
TWENTY_STEPS = ("--steps", "20", "--eval-steps", "5", "--batch", "4", "--micro-batch", "2")


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text_model(tmp_path_factory.mktemp("translategemma-text"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"), ROWS, ROWS[:6])


@pytest.fixture(scope="module")
def trained(model: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty steps without an interruption."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    done(run(gemma, model, data, out, *TWENTY_STEPS, "--learning-rate", "0.01"))
    return out


def run(job: Command, model: Path, data: Path, out: Path, *more: str) -> Result:
    told = ["--model", str(model), "--data", str(data), "--out", str(out), *more]
    return CliRunner().invoke(job, told)


def done(result: Result) -> None:
    assert result.exit_code == 0, result.output


def metrics(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "run.json").read_text())["metrics"]
    return found


def dev_losses(out: Path) -> list[float]:
    """At each look at dev.jsonl, in order."""
    states = sorted(
        (out / "checkpoints").glob("checkpoint-*/trainer_state.json"),
        key=lambda path: int(path.parent.name.partition("-")[2]),
    )
    history = json.loads(states[-1].read_text())["log_history"]
    return [entry["eval_loss"] for entry in history if "eval_loss" in entry]


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return {
        name: value
        for path in folder.glob("*.safetensors")
        for name, value in load_file(path).items()
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(one[name].equal(other[name]) for name in one)


def test_twenty_steps_bring_the_dev_loss_down_and_tell_it_by_register(trained: Path) -> None:
    losses = dev_losses(trained)
    assert losses[-1] < losses[0] - 0.5
    found = metrics(trained)
    assert found["eval_loss"] == pytest.approx(min(losses), abs=1e-5)
    assert {"eval_loss_bible", "eval_loss_sermon", "eval_loss_bible_archaic"} <= found.keys()
    assert (trained / "adapter/tokenizer.json").exists()
    assert any((trained / "tensorboard").iterdir())


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(
    trained: Path, model: Path, data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    told = (*TWENTY_STEPS, "--learning-rate", "0.01")

    def interrupt() -> None:
        give_up = time.monotonic() + 120
        while not (out / "checkpoints/checkpoint-10/trainer_state.json").exists():
            if time.monotonic() > give_up:
                return
            time.sleep(0.01)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    watching = threading.Thread(target=interrupt)
    watching.start()
    run(gemma, model, data, out, *told)
    watching.join()
    assert json.loads((out / "run.json").read_text())["status"] == "interrupted"
    assert not (out / "adapter").exists()
    kept = last_whole(out / "checkpoints")
    assert kept is not None
    assert kept.name not in ("checkpoint-10", "checkpoint-20"), "not of the step it was stopped in"

    done(run(gemma, model, data, out, *told, "--resume"))

    assert dev_losses(out) == dev_losses(trained)
    assert same(weights(out / "adapter"), weights(trained / "adapter"))
    assert [step["outcome"] for step in metrics(out)["ladder"]] == ["interrupted", "trained"]

    again = run(gemma, model, data, out, *told, "--resume")  # killed before anybody heard of it
    done(again)
    assert json.loads((out / "run.json").read_text())["status"] == "done"


def test_another_seed_gives_another_model(
    trained: Path, model: Path, data: Path, tmp_path: Path
) -> None:
    told = ("--steps", "2", "--eval-steps", "2", "--batch", "2", "--learning-rate", "0.01")
    for name, seed in (("a", "7"), ("b", "7"), ("c", "8")):
        done(run(gemma, model, data, tmp_path / name, *told, "--seed", seed))
    first, again, other = (weights(tmp_path / name / "adapter") for name in "abc")
    assert same(first, again)
    assert not same(first, other)


def first_step(out: Path) -> list[float]:
    """Loss and norm of the gradients of a run's first step."""
    state = json.loads((out / "checkpoints/checkpoint-1/trainer_state.json").read_text())
    return [state["log_history"][0][name] for name in ("loss", "grad_norm")]


ONE_STEP = ("--steps", "1", "--eval-steps", "1", "--dropout", "0")


def test_a_step_is_the_same_however_its_rows_are_shared_out(model: Path, tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", ROWS[:4], ROWS[:4])
    for micro in ("4", "1"):
        told = (*ONE_STEP, "--batch", "4", "--micro-batch", micro)
        done(run(gemma, model, data, tmp_path / micro, *told))
    assert first_step(tmp_path / "1") == pytest.approx(first_step(tmp_path / "4"), rel=1e-4)


def test_a_row_of_weight_two_counts_as_two_rows(model: Path, tmp_path: Path) -> None:
    first, second = (Row(*pair, "bible", "tests") for pair in EN_ES[:2])
    heavy = replace(first, weight=2.0)
    for name, rows in (("twice", [first, first, second]), ("heavy", [heavy, second])):
        data = write_data(tmp_path / name / "data", rows, [first, second])
        count = str(len(rows))
        told = (*ONE_STEP, "--batch", count, "--micro-batch", count)
        done(run(gemma, model, data, tmp_path / name / "run", *told))
    once, twice = (first_step(tmp_path / name / "run") for name in ("heavy", "twice"))
    assert once == pytest.approx(twice, rel=1e-4)


def test_only_the_answer_is_learned_behind_the_prompt_that_captions_use(model: Path) -> None:
    from transformers import AutoTokenizer

    from training.language_model.examples import IGNORED, Encoder, collated

    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    conversation = [
        {
            "role": "user",
            "content": [
                {
                    "type": "text",
                    "source_lang_code": "en",
                    "target_lang_code": "es",
                    "text": "Jesus wept.",
                }
            ],
        }
    ]
    asked = tokenizer.apply_chat_template(
        conversation, tokenize=True, add_generation_prompt=True, return_dict=True
    )["input_ids"]
    path = write_data(model.parent / "one", [Row(*EN_ES[3], "bible", "tests")], []) / "train.jsonl"

    (example,) = Encoder(tokenizer, "translategemma").examples(path, 512).kept
    batch = collated([example], pad_id=0, registers=["bible"])

    assert list(example.ids[: example.prompt_tokens]) == asked
    learned = [token for token in batch["labels"][0].tolist() if token != IGNORED]
    assert tokenizer.decode(learned[:-1]) == "Jesús lloró."
    assert learned[-1] == 106


def test_the_vision_tower_is_never_touched_and_its_preprocessor_comes_along(
    data: Path, tmp_path: Path
) -> None:
    model = write_multimodal_model(tmp_path / "translategemma-multimodal")
    told = ("--steps", "2", "--eval-steps", "2", "--batch", "2", "--learning-rate", "0.01")

    done(run(gemma, model, data, tmp_path / "lora", *told, "--rank", "4"))
    done(run(galore, model, data, tmp_path / "full", *told, "--rank", "4"))

    adapted = weights(tmp_path / "lora/adapter")
    assert len(adapted) == 2 * 2 * 7  # two layers, seven matrices, A and B
    assert all("language_model.layers" in name for name in adapted)
    before, after = weights(model), weights(tmp_path / "full/model")
    changed = {name for name in before if not before[name].equal(after[name])}
    assert any("language_model" in name for name in changed)
    assert not any("vision" in name or "multi_modal" in name for name in changed)
    for folder in ("lora/adapter", "full/model"):
        assert (tmp_path / folder / PREPROCESSOR).exists()


@pytest.mark.parametrize("write", [write_text_model, write_multimodal_model])
def test_a_model_that_lacks_weights_is_refused(write: Any, data: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model = write(tmp_path / "translategemma")
    kept = weights(model)
    lacking = next(name for name in kept if "layers.1.mlp.up_proj" in name and "vision" not in name)
    del kept[lacking]
    save_file(kept, model / "model.safetensors", metadata={"format": "pt"})

    result = run(gemma, model, data, tmp_path / "run")

    assert result.exit_code == 2
    assert "lacks 1 of the weights" in result.output
    assert "layers.1.mlp.up_proj" in result.output


def test_a_text_config_over_multimodal_weights_is_no_random_model(
    data: Path, tmp_path: Path
) -> None:
    model = write_multimodal_model(tmp_path / "translategemma")
    config = json.loads((model / "config.json").read_text())
    text = {**config["text_config"], "architectures": ["Gemma3ForCausalLM"]}
    (model / "config.json").write_text(json.dumps({**text, "vocab_size": 700}))

    result = run(gemma, model, data, tmp_path / "run")

    assert result.exit_code == 2
    assert "MODEL" in result.output or "lacks" in result.output


def test_with_too_little_memory_it_walks_down_the_ladder_and_says_so(
    model: Path, data: Path, tmp_path: Path
) -> None:
    told = ("--steps", "1", "--eval-steps", "1", "--batch", "4", "--micro-batch", "4")
    out = tmp_path / "run"

    done(
        run(
            gemma,
            *(model, data, out),
            *(*told, "--train-embeddings", "--max-tokens", "512", "--memory-gib", "0.002"),
        )
    )

    ladder = metrics(out)["ladder"]
    steps = [
        (step["trains_embeddings"], step["batch_size"], step["accumulation"]) for step in ladder
    ]
    assert steps[:4] == [(True, 4, 1), (False, 4, 1), (False, 2, 2), (False, 1, 4)]
    assert [step["outcome"] for step in ladder] == [
        *["out of memory"] * (len(ladder) - 1),
        "trained",
    ]
    assert ladder[-1]["max_tokens"] < 512


def test_below_the_last_rung_it_says_what_to_do(model: Path, data: Path, tmp_path: Path) -> None:
    result = run(gemma, model, data, tmp_path / "run", "--memory-gib", "0.0001")
    assert result.exit_code == 1
    assert "take a smaller model" in result.output


def test_galore_goes_on_from_its_checkpoint(model: Path, data: Path, tmp_path: Path) -> None:
    from shutil import rmtree

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    told = ("--steps", "20", "--eval-steps", "10", "--batch", "4", "--learning-rate", "0.01")
    for out in (whole, cut):
        done(run(galore, model, data, out, *told, "--rank", "8", "--projection-steps", "5"))
    losses = dev_losses(whole)
    assert losses[-1] < losses[0]
    # As if it had been killed after ten steps: only that checkpoint is there.
    rmtree(cut / "model")
    rmtree(cut / "checkpoints/checkpoint-20")

    done(run(galore, model, data, cut, *told, "--rank", "8", "--projection-steps", "5", "--resume"))

    assert same(weights(cut / "model"), weights(whole / "model"))
