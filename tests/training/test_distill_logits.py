"""Distillation of probabilities between small real Marian models."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.tiny.marian import marian_hf
from tests.tiny.pairs import EN_ES
from training.distill import distill
from training.distillation.shared_pieces import shared_positions
from training.rows import Row, write_rows

ROWS = [Row(*pair, "sermon", "tests", weight=1 + index % 2) for index, pair in enumerate(EN_ES)]


def test_pieces_are_compared_where_both_have_written_the_same() -> None:
    mine = ["▁Dios", "▁es", "▁am", "or", ".", "</s>"]
    theirs = ["▁Di", "os", "▁es", "▁amor", ".", "</s>"]
    assert shared_positions(mine, theirs) == ([0, 1, 2, 4, 5], [0, 2, 3, 4, 5])


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained, with a tokenizer of its own."""
    import torch

    from training.small_model.model import Size, new_model, new_tokenizer

    torch.set_num_threads(1)
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp("student")
    tokens = new_tokenizer(folder, [text for row in ROWS for text in (row.source, row.target)], 260)
    size = Size(64, 128, 1, 1, len(tokens), dropout=0.0)
    new_model(size).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_rows(folder / "train.jsonl", ROWS)
    write_rows(folder / "dev.jsonl", ROWS[:4])
    return folder


def run(data: Path, student: Path, out: Path, *more: str) -> Result:
    told = ["logits", "--data", str(data), "--teacher", str(marian_hf()), "--student", str(student)]
    told += ["--out", str(out), "--warmup-steps", "1", "--learning-rate", "0.01", *more]
    return CliRunner().invoke(distill, told)


def metrics(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "run.json").read_text())["metrics"]
    return found


@pytest.mark.training
def test_a_student_comes_to_agree_with_its_teacher_and_goes_on_where_it_was_stopped(
    data: Path, student: Path, tmp_path: Path
) -> None:
    import torch
    from safetensors.torch import load_file

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    told = ("--steps", "15", "--rounds", "2", "--save-every", "10")
    result = run(data, student, whole, *told)
    assert result.exit_code == 0, result.output
    options = json.loads((whole / "run.json").read_text())["options"]
    assert "order" not in options, "a run from before rows had an order can be resumed"

    def interrupt() -> None:
        give_up = time.monotonic() + 120
        while not (cut / "checkpoint.pt").exists() and time.monotonic() < give_up:
            time.sleep(0.005)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    watching = threading.Thread(target=interrupt)
    watching.start()
    stopped = run(data, student, cut, *told)
    watching.join()
    assert stopped.exit_code == 130
    at = re.search(r"stopped at step (\d+)", stopped.output)
    assert at
    assert torch.load(cut / "checkpoint.pt", weights_only=True)["done"] == int(at[1])
    assert json.loads((cut / "run.json").read_text())["status"] == "interrupted"
    assert not (cut / "model").exists()
    for _ in range(2):  # and a run that has ended stays as it is
        result = run(data, student, cut, *told, "--resume")
        assert result.exit_code == 0, result.output
    assert metrics(cut)["agreement"] == metrics(whole)["agreement"]

    before, first, second = metrics(whole)["agreement"]
    assert first["top1"] > before["top1"]
    assert second["top1"] > before["top1"] + 10
    assert metrics(whole)["shared_pieces"] < metrics(whole)["student_pieces"]

    one, other = (load_file(out / "model/model.safetensors") for out in (whole, cut))
    assert all(one[name].equal(other[name]) for name in one)


@pytest.mark.training
def test_a_step_is_the_same_however_its_rows_are_shared_out(student: Path) -> None:
    import torch

    from training.distillation.classroom import Classroom
    from training.small_model.model import MarianTokens, read_model

    teacher = marian_hf()
    gradients = []
    for batch_tokens in (10_000, 1):
        room = Classroom(
            read_model(student),
            read_model(teacher),
            MarianTokens(student),
            MarianTokens(teacher),
            max_tokens=128,
            temperature=2.0,
        )
        count = 1 if batch_tokens > 1 else 6
        lessons = room.lessons([(ROWS[:6], 0.5)], batch_tokens, 1)
        room.learn([next(lessons) for _ in range(count)])
        gradients.append([each.grad for each in room.student.parameters() if each.grad is not None])
    assert gradients[0]
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.training
def test_a_model_that_is_its_own_teacher_diverges_by_nothing() -> None:
    from training.distillation.classroom import Classroom
    from training.distillation.knowledge import losses
    from training.small_model.model import MarianTokens, read_model

    folder = marian_hf()
    room = Classroom(
        *(read_model(folder), read_model(folder)),
        *(MarianTokens(folder), MarianTokens(folder)),
        max_tokens=128,
        temperature=2.0,
    )
    room.student.eval()
    lesson, _ = next(room.lessons([(ROWS, 0.5)], 10_000, 1))
    found = losses(room.student, room.teacher, lesson, room.shared, 2.0)
    assert found.divergence.item() == pytest.approx(0, abs=1e-3)
    assert found.agreed == len(lesson.at) == (lesson.student.labels != -100).sum()
