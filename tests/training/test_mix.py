"""Recipes: how much of what ends up in a mix, how it is told, and what must not be in it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.training import mini_data
from training.bible import bible
from training.mix import mix
from training.rows import Row, read_rows, write_rows
from training.texts.curriculum import difficulty, order_of
from training.texts.leakage import JUDGED
from training.texts.own_sentences import ORIGIN, own_sentences


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini_data.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def bible_folder(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bible") / "out"
    arguments = ["--data", str(data), "--pair", "WEB-BES", "--pair", "WEB-RV1909"]
    result = CliRunner().invoke(bible, [*arguments, "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def sermons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset's folder, as ./glossa queue snapshot lays it out."""
    folder = tmp_path_factory.mktemp("sermons")
    (folder / "en-es").mkdir()
    with (folder / "en-es/pairs.jsonl").open("w") as lines:
        for number in range(100):
            fields = {"en": f"Sermon {number} is said.", "es": f"Se dice el sermón {number}."}
            own = {"tier": "accepted", "weight": 1.5, "session_id": f"s{number % 3}"}
            languages = {"source_language": "en", "target_language": "es"}
            lines.write(json.dumps(fields | own | languages) + "\n")
    return folder


def run(recipe: str, bible_folder: Path, out: Path, *options: str | Path) -> Result:
    arguments = ["--recipe", recipe, "--bible", bible_folder, "--out", out, *options]
    return CliRunner().invoke(mix, [str(argument) for argument in arguments])


def made(recipe: str, bible_folder: Path, out: Path, *options: str | Path) -> list[Row]:
    result = run(recipe, bible_folder, out, *options)
    assert result.exit_code == 0, result.output
    return list(read_rows(out / "train.jsonl"))


def metrics(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "run.json").read_text())["metrics"]
    return loaded


def test_base_takes_everything(data: Path, bible_folder: Path, tmp_path: Path) -> None:
    rows = made("base", bible_folder, tmp_path / "out", "--data", data)
    own = Counter(row.kind for row in read_rows(bible_folder / "train.jsonl"))
    counts = Counter(row.kind for row in rows)
    assert counts["bible"] == own["bible"]
    assert counts["glossary"] == own["glossary"]
    sentences = (data / "tatoeba/train.tsv").read_text().splitlines()
    assert counts["general"] > 1.5 * len(sentences)
    assert all(row.weight == 1 for row in rows)
    assert sum(entry["rows"] for entry in metrics(tmp_path / "out")["table"]) == len(rows)


def test_base_needs_everyday_language(bible_folder: Path, tmp_path: Path) -> None:
    result = run("base", bible_folder, tmp_path / "out")
    assert result.exit_code == 2
    assert "--data" in result.output


@pytest.mark.parametrize(
    ("recipe", "shares"),
    [
        ("first", {"bible": 0.70, "sermon": 0.25, "glossary": 0.05}),
        ("later", {"sermon": 0.50, "bible": 0.40, "glossary": 0.10}),
    ],
)
def test_recipe_mixes_in_its_shares(
    bible_folder: Path, sermons: Path, tmp_path: Path, recipe: str, shares: dict[str, float]
) -> None:
    rows = made(recipe, bible_folder, tmp_path / "out", "--sermons", sermons, "--pairs", 150)
    counts = Counter(row.kind for row in rows)
    assert len(rows) == pytest.approx(150, abs=2)
    everyday = counts.pop("general")
    counts["bible"] += everyday
    assert {kind: counts[kind] / len(rows) for kind in counts} == pytest.approx(shares, abs=0.01)
    assert 0.05 <= everyday / counts["bible"] <= 0.10


def test_sermons_and_terms_count_twice(bible_folder: Path, sermons: Path, tmp_path: Path) -> None:
    rows = made("first", bible_folder, tmp_path / "out", "--sermons", sermons)
    weights = {row.kind: row.weight for row in rows}
    # A sermon had 1.5.
    assert weights == {"bible": 1.0, "general": 1.0, "sermon": 3.0, "glossary": 2.0}
    assert metrics(tmp_path / "out")["weights"] == {"sermon": 2.0, "glossary": 2.0}


def test_too_few_sermons_make_a_smaller_mix(
    bible_folder: Path, sermons: Path, tmp_path: Path
) -> None:
    rows = made("later", bible_folder, tmp_path / "out", "--sermons", sermons)
    assert len(rows) == 200
    assert len({row.source for row in rows if row.kind == "sermon"}) == 100


def test_recipe_without_its_sermons_says_so(bible_folder: Path, tmp_path: Path) -> None:
    result = run("first", bible_folder, tmp_path / "out")
    assert result.exit_code == 2
    assert "sermon" in result.output
    assert "--sermons" in result.output


def test_what_is_judged_with_is_never_trained_on(
    data: Path, bible_folder: Path, tmp_path: Path
) -> None:
    judged = [row for name in ("dev", "test") for row in read_rows(bible_folder / f"{name}.jsonl")]
    verse = next(row for row in judged if row.group == "RUT")
    sentence = (data / "tatoeba/test.tsv").read_text().splitlines()[0].split("\t")
    extra = tmp_path / "extra.jsonl"
    planted = [
        Row(f"He read to us: {verse.source}", "Nos leyó.", "sermon", "planted"),
        Row(sentence[0].upper(), "Otra cosa.", "general", "planted"),
        Row("Something else is in here.", verse.target, "sermon", "planted"),
        Row("This one may stay in here.", "Esta puede quedarse aquí.", "sermon", "planted"),
    ]
    write_rows(extra, planted)
    rows = made("base", bible_folder, tmp_path / "out", "--data", data, "--extra", extra)
    kept = [row.target for row in rows if row.origin == "planted"]
    assert kept == [planted[3].target]
    assert metrics(tmp_path / "out")["leaked_count"] >= 3


def test_what_else_models_are_judged_with_is_never_trained_on(
    bible_folder: Path, sermons: Path, tmp_path: Path
) -> None:
    hymn = Row("Sermon 4 is said.", "Otra cosa.", "sermon", "hymns", "s2")
    write_rows(tmp_path / "hymns.jsonl", [hymn])
    (tmp_path / "talk.tsv").write_text("No such thing.\tSe dice el sermón 6.\n")
    told = ["--sermons", str(sermons), "--unpunctuated-share", "0"]
    for name in ("hymns.jsonl", "talk.tsv"):
        told += ["--evaluation", str(tmp_path / name)]
    out = tmp_path / "out"
    rows = made("later", bible_folder, out, *told)
    said = {row.source for row in rows if row.kind == "sermon"}
    # The hymn's whole session is judged with; the other sentence was said in another one.
    assert said == {f"Sermon {n} is said." for n in range(100) if n % 3 != 2} - {
        "Sermon 4 is said.",
        "Sermon 6 is said.",
    }
    judged = {row.source for row in read_rows(out / JUDGED)}
    assert {hymn.source, "No such thing."} < judged


def test_dev_and_test_come_along(data: Path, bible_folder: Path, tmp_path: Path) -> None:
    made("base", bible_folder, tmp_path / "out", "--data", data, "--dev-rows", "20")
    dev = Counter(row.origin for row in read_rows(tmp_path / "out/dev.jsonl"))
    assert dev == {"WEB-BES": 20, "WEB-RV1909": 20, "tatoeba": 20}
    test = list(read_rows(tmp_path / "out/test.jsonl"))
    whole = list(read_rows(bible_folder / "test.jsonl"))
    assert len(test) == len(whole) + len((data / "tatoeba/test.tsv").read_text().splitlines())


def test_earlier_mix_is_replayed(bible_folder: Path, sermons: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    old = [
        Row(f"Old number {number}.", f"Viejo {number}.", "sermon", "old", weight=1.7)
        for number in range(100)
    ]
    write_rows(earlier / "train.jsonl", old)
    options = ("--sermons", sermons, "--pairs", 80, "--replay", earlier, "--replay-share", "0.2")
    rows = made("first", bible_folder, tmp_path / "out", *options)
    replayed = [row for row in rows if row.origin == "old"]
    assert len(replayed) / len(rows) == pytest.approx(0.2, abs=0.01)
    assert {row.weight for row in replayed} == {1.7}  # as it was; not doubled again


def test_curriculum_goes_from_clean_to_hard(
    bible_folder: Path, sermons: Path, tmp_path: Path
) -> None:
    options = ("--sermons", sermons, "--order", "curriculum")
    rows = made("first", bible_folder, tmp_path / "out", *options)
    stages = [difficulty(row) for row in rows]
    assert stages == sorted(stages)
    assert rows[0].kind == "glossary"
    assert rows[-1].kind == "sermon"
    assert order_of(tmp_path / "out") == "curriculum"


def test_same_seed_makes_the_same_mix(data: Path, bible_folder: Path, tmp_path: Path) -> None:
    one = made("base", bible_folder, tmp_path / "one", "--data", data)
    assert made("base", bible_folder, tmp_path / "same", "--data", data) == one
    assert made("base", bible_folder, tmp_path / "other", "--data", data, "--seed", "2") != one


def test_numbers_stay_the_same_in_both_texts(
    data: Path, bible_folder: Path, tmp_path: Path
) -> None:
    rows = made("base", bible_folder, tmp_path / "out", "--data", data)
    numbered = [row for row in rows if row.kind == "general" and re.search(r"\d", row.source)]
    seen = set()
    for row in numbered:
        digits = [re.findall(r"\d+", re.sub(r"(?<=\d)[.,](?=\d)", "", text))
                  for text in (row.source, row.target)]  # fmt: skip
        assert digits[0] == digits[1], row
        seen.update(digits[0])
    assert len(seen) > 100  # the sentences themselves have 8 different ones


def test_fewer_rows_than_asked_for_are_told_with_what_there_is_too_little_of(
    bible_folder: Path, sermons: Path, tmp_path: Path
) -> None:
    result = run("later", bible_folder, tmp_path / "out", "--sermons", sermons, "--pairs", 5000)
    assert result.exit_code == 0, result.output
    pairs = metrics(tmp_path / "out")["pairs"]
    assert pairs["wanted"] == 5000
    assert pairs["mixed"] < 5000
    assert f"{pairs['mixed']:,} rows by the recipe and not 5,000" in result.output
    assert f"too few of the kind {pairs['scarce']}" in result.output
    enough = run("later", bible_folder, tmp_path / "enough", "--sermons", sermons, "--pairs", 50)
    assert "too few" not in enough.output
    assert metrics(tmp_path / "enough")["pairs"]["scarce"] is None


def test_base_tells_our_own_sentences_as_often_as_it_is_told(
    data: Path, bible_folder: Path, tmp_path: Path
) -> None:
    own = [row for row in own_sentences() if not re.search(r"\d", row.source)]
    for copies in (0, 1):
        out = tmp_path / str(copies)
        result = run(
            *("base", bible_folder, out, "--data", data, "--sermon-copies", str(copies)),
            *("--unpunctuated-share", "0", "--hidden-places-share", "0"),
        )
        assert result.exit_code == 0, result.output
        rows = [row for row in read_rows(out / "train.jsonl") if row.origin == ORIGIN]
        # Rows with numbers come again, with other numbers.
        found = [row for row in rows if not re.search(r"\d", row.source)]
        assert len(found) == copies * len(own)
        assert bool(rows) == bool(copies)
