"""Datasets that speak of the same pairs: the newest word is trained on, and no judge is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from training.collected.datasets import read_datasets
from training.evaluation.sets import OWN_SERMON
from training.mix import mix
from training.rows import Kind, Row, read_rows, write_rows
from training.texts.leakage import JUDGED

OTHERS: dict[Kind, int] = {"bible": 60, "general": 10, "glossary": 10}


@pytest.fixture
def bible(tmp_path: Path) -> Path:
    """As `python -m training.bible` lays it out, with enough to mix sermons with."""
    rows = [
        Row(f"Row {number} of {kind}.", f"Fila {number} de {kind}.", kind, "test")
        for kind, count in OTHERS.items()
        for number in range(count)
    ]
    write_rows(tmp_path / "bible/train.jsonl", rows)
    for split in ("dev", "test"):
        judged = Row(f"The {split} is here.", f"Aquí está {split}.", "bible", "test", split)
        write_rows(tmp_path / f"bible/{split}.jsonl", [judged])
    return tmp_path / "bible"


def said(number: int, target: str, source: str = "", session_id: str = "s1") -> dict[str, Any]:
    """A collected pair."""
    return {
        "en": source or f"Point {number} of the talk.",
        "es": target,
        "source_language": "en",
        "target_language": "es",
        "tier": "accepted",
        "session_id": session_id,
        "pair_id": f"{session_id}/{number}/es",
    }


def dataset(
    folder: Path, day: int, dropped: dict[str, Any] | None = None, **splits: list[dict[str, Any]]
) -> Path:
    """Made on that day of a month; `train` to train on, `dev` and `test` held out."""
    for split, pairs in splits.items():
        path = folder / ("en-es" if split == "train" else f"en-es.{split}") / "pairs.jsonl"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    created = f"2026-11-{day:02}T12:00:00Z"
    manifest = {"schema": "glossa-dataset", "created": created, "dropped": dropped or {}}
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def mixed(bible: Path, *options: str | Path, out: str = "out") -> tuple[list[Row], str]:
    """The rows to train on of the Bible and what `options` name, and what the command said."""
    folder = bible.parent / out
    told = ["--recipe", "later", "--bible", bible, "--out", folder, *options]
    told += ["--unpunctuated-share", "0"]
    result = CliRunner().invoke(mix, [str(each) for each in told])
    assert result.exit_code == 0, result.output
    return list(read_rows(folder / "train.jsonl")), result.output


def sermons(rows: list[Row]) -> list[str]:
    """The translations of what was said, each once."""
    return sorted({row.target for row in rows if row.kind == "sermon"})


def test_what_people_decided_since_stands_in_the_place_of_older_datasets(
    bible: Path, tmp_path: Path
) -> None:
    first = [said(number, f"Punto mal dicho {number}.") for number in (1, 2, 3)]
    older = dataset(tmp_path / "b", 2, train=first)
    rejected = {"rejected": {"s1": ["s1/2/es"]}}
    newer = dataset(tmp_path / "a", 9, rejected, train=[said(1, "Primer punto de la charla.")])
    rows, output = mixed(bible, "--sermons", newer, "--sermons", older)
    assert "2 rows left out: a newer dataset speaks of their pairs" in output
    assert sermons(rows) == ["Primer punto de la charla.", "Punto mal dicho 3."]


@pytest.mark.parametrize("option", ["--replay", "--extra", "--sermons"])
def test_what_people_rejected_comes_back_from_no_other_file(
    bible: Path, tmp_path: Path, option: str
) -> None:
    verse = ("Turn with me to Romans 8:28 now.", "Vayan conmigo a Romanos 8:28 ahora.")
    first = [said(1, "Punto mal dicho."), said(2, verse[1], verse[0]), said(3, "Tercer punto.")]
    told = ["--sermons", dataset(tmp_path / "older", 2, train=first)]
    earlier, _ = mixed(bible, *told, "--hidden-places-share", "1", out="earlier")
    assert "Vayan conmigo a & ahora." in sermons(earlier)  # a stand-in is there for the place

    rejected = {"rejected": {"s1": ["s1/1/es", "s1/2/es"]}}
    told += ["--sermons", dataset(tmp_path / "newer", 9, rejected)]
    again = tmp_path / "earlier" / ("" if option == "--replay" else "train.jsonl")
    rows, _ = mixed(bible, *told, option, again, "--replay-share", "0.5")
    assert sermons(rows) == ["Tercer punto."]


@pytest.mark.parametrize("split", ["dev", "test"])
def test_what_an_older_dataset_held_out_is_not_trained_on_for_a_newer_one(
    bible: Path, tmp_path: Path, split: str
) -> None:
    held_out = [said(number, f"Punto apartado {number}.", session_id="s2") for number in (1, 2, 3)]
    older = dataset(tmp_path / "older", 2, train=[said(4, "Cuarto punto.")], **{split: held_out})
    newer = dataset(
        tmp_path / "newer",
        9,
        {"rejected": {"s2": ["s2/3/es"]}},
        train=[held_out[0], said(2, "Segundo punto, dicho mejor.", session_id="s2")],
    )
    extra = tmp_path / "extra.jsonl"  # the rejected one, told elsewhere
    write_rows(extra, [Row("Otherwise said.", "Punto apartado 3.", "sermon", "e", "s9")])
    rows, _ = mixed(bible, "--sermons", older, "--sermons", newer, "--extra", extra)
    assert sermons(rows) == ["Cuarto punto."]
    judged = {row.target for row in read_rows(tmp_path / "out" / JUDGED)}
    assert {pair["es"] for pair in held_out} < judged


def test_what_a_dataset_holds_out_and_our_own_test_are_never_trained_on(
    bible: Path, tmp_path: Path
) -> None:
    dev = said(1, "Una primera frase.", "A first sentence that was held out.", "s2")
    test = said(1, "Una segunda frase.", "A second sentence that was held out.", "s3")
    named = dataset(tmp_path / "d", 2, train=[said(1, "Primer punto.")], dev=[dev], test=[test])
    own = next(iter(read_rows(OWN_SERMON)))
    held_out = [Row(each["en"], each["es"], "sermon", "") for each in (dev, test)]
    extra = tmp_path / "extra.jsonl"
    write_rows(extra, [replace(row, origin="planted") for row in (*held_out, own)])
    rows, _ = mixed(bible, "--sermons", named, "--extra", extra)
    assert sermons(rows) == ["Primer punto."]
    told = [row.source for row in read_rows(tmp_path / "out/dev.jsonl") if row.kind == "sermon"]
    assert told == [dev["en"]]
    judged = {row.source for row in read_rows(tmp_path / "out" / JUDGED)}
    assert {row.source for row in (*held_out, own)} < judged
    for name in ("dev", "test"):
        assert {row.source for row in read_rows(bible / f"{name}.jsonl")} < judged


def test_what_another_dataset_only_holds_out_is_not_trained_on(bible: Path, tmp_path: Path) -> None:
    sentence = "The ninety-first sermon of the year tells of the lost coin under the old bed."
    told = ["--sermons", dataset(tmp_path / "sermons", 2, train=[said(1, "Primer punto.")])]
    extra = tmp_path / "again.jsonl"
    write_rows(extra, [Row(sentence, "Otra traducción de lo mismo.", "sermon", "s", "s8")])
    told += ["--extra", extra]
    rows, _ = mixed(bible, *told, out="without")
    assert sentence in {row.source for row in rows}
    judged = said(1, "El sermón noventa y uno cuenta de la moneda.", sentence, "s9")
    told += ["--sermons", dataset(tmp_path / "held", 1, test=[judged])]
    rows, _ = mixed(bible, *told)
    assert sentence not in {row.source for row in rows}


def test_of_two_datasets_of_one_second_the_one_named_later_is_newer(tmp_path: Path) -> None:
    one, other = (
        dataset(tmp_path / name, 2, train=[said(1, f"Dicho en {name}.")]) for name in ("a", "b")
    )
    for folders, newest in (((one, other), "Dicho en b."), ((other, one), "Dicho en a.")):
        assert [row.target for row in read_datasets(folders).rows["train"]] == [newest]
