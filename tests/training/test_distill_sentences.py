"""Distillation of sentences with Apertium and small real files."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.qe.engine import Pair
from services.qe.settings import QeSettings
from tests.tiny.pairs import EN_ES
from training.distill import distill
from training.distillation.pair_filter import load_filter
from training.distillation.sentences import mix
from training.evaluation.sets import OWN_SERMON
from training.rows import Row, read_rows, write_rows

REFERENCES = [Row(*pair, "sermon", "tests", "sunday") for pair in EN_ES]
JUDGED = Row(
    "Nobody learns what is asked later.", "Nadie aprende lo que luego se pregunta.", "sermon", ""
)


def test_a_teacher_s_translations_are_filtered_and_mixed_with_references(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    write_rows(data / "train.jsonl", REFERENCES)
    own_test = next(iter(read_rows(OWN_SERMON)))
    write_rows(data / "dev.jsonl", [JUDGED])
    write_rows(data / "judged.jsonl", [JUDGED, own_test])
    texts = tmp_path / "texts.txt"
    texts.write_text("The house is big.\n\nWe have seven books.\n")
    own = ["The house is big.", "We have seven books."]
    with texts.open("a") as more:  # two that are judged with
        more.write(f"{JUDGED.source}\n{own_test.source}\n")
    told = ["sentences", "--data", str(data), "--texts", str(texts), "--out", str(out)]
    told += ["--runtime", "apertium", "--batch", "4"]

    first = CliRunner().invoke(distill, told)

    assert first.exit_code == 0, first.output
    rows = list(read_rows(out / "train.jsonl"))
    taught = [row for row in rows if row.origin.startswith("teacher apertium")]
    assert len(taught) == len(rows) / 2
    assert {row.source for row in rows} <= {row.source for row in REFERENCES} | set(own)
    found = json.loads((out / "run.json").read_text())["metrics"]
    assert found["translated"] == len(EN_ES) + 2
    assert found["leaked_count"] == 2
    assert found["kept"] + sum(found["refused"].values()) == found["translated"]

    # As a killed run leaves it: two batches are whole, a line of the third is torn.
    lines = (out / "teacher.jsonl").read_bytes().splitlines(keepends=True)
    groups = {line["source"]: line["group"] for line in map(json.loads, lines)}
    assert groups == {row.source: "sunday" for row in REFERENCES} | dict.fromkeys(own, "")
    planted = {**json.loads(lines[0]), "target": "Esto ya estaba."}
    torn = [json.dumps(planted).encode() + b"\n", *lines[1:8], lines[8][:20]]
    (out / "teacher.jsonl").write_bytes(b"".join(torn))
    again = CliRunner().invoke(distill, [*told, "--resume"])

    assert again.exit_code == 0, again.output
    resumed = (out / "teacher.jsonl").read_bytes().splitlines(keepends=True)
    assert len(resumed) == len(lines)
    assert json.loads(resumed[0]) == planted  # not translated again
    assert sorted(resumed[1:]) == sorted(lines[1:])


def test_further_texts_want_a_mix_that_says_what_is_judged(tmp_path: Path) -> None:
    data, texts = tmp_path / "data", tmp_path / "texts.txt"
    for name in ("train", "dev"):
        write_rows(data / f"{name}.jsonl", REFERENCES)
    texts.write_text("The house is big.\n")
    told = ["sentences", "--data", str(data), "--texts", str(texts), "--runtime", "apertium"]
    done = CliRunner().invoke(distill, [*told, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "make it anew with `python -m training.mix`" in done.output


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        ("We read chapter 3 today.", "Hoy leemos el capítulo 4.", "number_parity"),
        ("He is not here.", "Él está aquí.", "negation_parity"),
        ("The Lord is my shepherd.", "The Lord is my shepherd.", "copied_through"),
        ("Jesus wept.", "", "empty"),
    ],
)
def test_what_is_wrong_is_refused_by_name(source: str, target: str, reason: str) -> None:
    judge = load_filter(QeSettings(second_tier_back_translation="never"), 0.8)
    good = Pair("Jesus wept.", "Jesús lloró.", "en", "es")

    assert judge.passes([Pair(source, target, "en", "es"), good]) == [False, True]
    assert judge.refused[reason] == 1


@pytest.mark.parametrize(
    ("share", "taught", "references"), [(0.5, 4, 4), (0.2, 4, 16), (1.0, 4, 0)]
)
def test_the_share_is_kept_whichever_side_is_short(
    share: float, taught: int, references: int
) -> None:
    mixed = mix(REFERENCES, REFERENCES[:4], share, random.Random(1))
    assert len(mixed) == taught + references
