"""A recogniser's errors in pairs to train on: which, how many, and which never."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.training import mini_data
from training.hearing.confusions import (
    CORRECTIONS,
    Confusion,
    Confusions,
    homophones,
    put_right,
    read_listed,
)
from training.hearing.disfluency import with_dropped_words, with_fillers
from training.noise import noise
from training.rows import Row, read_rows, write_rows
from training.texts.curriculum import difficulty, order_of
from training.texts.leakage import JUDGED

SERMON = "The atonement was made once for all of the people who believe."


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A mix of 300 rows that no two are alike of."""
    rng = random.Random(3)
    words = ("grace", "mercy", "people", "river", "mountain", "silver", "bread", "field", "house")
    rows = [
        Row(
            f"The {' and the '.join(rng.sample(words, 4))} were there in {1000 + number}.",
            f"Fila {number}.",
            "bible",
            "WEB-BES",
        )
        for number in range(300)
    ]
    folder = tmp_path / "mix"
    write_rows(folder / "train.jsonl", rows)
    dev = Row("We never met before today.", "Nunca.", "general", "t")
    test = Row("It ends well.", "Acaba bien.", "general", "t")
    held_out = Row("It was said on that day.", "Se dijo ese día.", "sermon", "s", "held-out")
    write_rows(folder / "dev.jsonl", [dev])
    write_rows(folder / "test.jsonl", [test])
    write_rows(folder / JUDGED, [dev, test, held_out])
    return folder


def run(mixed: Path, out: Path, *options: str | Path) -> Result:
    arguments = ["--mix", mixed, "--out", out, *options]
    return CliRunner().invoke(noise, [str(argument) for argument in arguments])


def reviewed(path: Path, *pairs: tuple[str, str, str], session_id: str = "s1") -> Path:
    """Lines as `./glossa queue export --band corrected` writes them: heard, said, decision."""
    with path.open("w") as lines:
        for heard, said, decision in pairs:
            fields: dict[str, Any] = {"en": said, "es": f"Traducción de {said}"}
            fields |= {"source_language": "en", "target_language": "es"}
            fields |= {"decision": decision, "original_source_text": heard}
            fields |= {"session_id": session_id}
            lines.write(json.dumps(fields) + "\n")
    return path


def test_three_in_ten_rows_are_as_heard(mixed: Path, tmp_path: Path) -> None:
    result = run(mixed, tmp_path / "out")
    assert result.exit_code == 0, result.output
    rows = list(read_rows(tmp_path / "out/train.jsonl"))
    clean = list(read_rows(mixed / "train.jsonl"))
    noisy = [row for row in rows if row.origin == "WEB-BES, noisy"]
    assert len(noisy) / len(rows) == pytest.approx(0.3, abs=0.01)
    assert f"{len(noisy) / len(rows):.1%} of the rows" in result.output
    assert sorted(row.source for row in rows if row not in noisy) == sorted(
        row.source for row in clean
    )
    of_target = {row.target: row.source for row in clean}
    assert all(row.source != of_target[row.target] for row in noisy)
    manifest = json.loads((tmp_path / "out/run.json").read_text())
    assert manifest["metrics"]["noisy_share"] == pytest.approx(0.3, abs=0.01)
    assert set(manifest["metrics"]["errors"]) >= {"dropped", "filler"}


def test_dev_and_test_stay_clean(mixed: Path, tmp_path: Path) -> None:
    assert run(mixed, tmp_path / "out").exit_code == 0
    for name in ("dev.jsonl", "test.jsonl", JUDGED):
        assert (tmp_path / "out" / name).read_bytes() == (mixed / name).read_bytes()


@pytest.mark.parametrize("order", ["curriculum", "shuffled"])
def test_a_curriculum_stays_one(mixed: Path, tmp_path: Path, order: str) -> None:
    (mixed / "run.json").write_text(json.dumps({"metrics": {"order": order}}))
    assert run(mixed, tmp_path / "out").exit_code == 0
    assert order_of(tmp_path / "out") == order
    stages = [difficulty(row) for row in read_rows(tmp_path / "out/train.jsonl")]
    assert {1, 2} <= set(stages)  # as they were, and bare
    assert (stages == sorted(stages)) == (order == "curriculum")


def test_same_seed_makes_the_same_errors(mixed: Path, tmp_path: Path) -> None:
    for name, seed in (("one", "1"), ("same", "1"), ("other", "2")):
        assert run(mixed, tmp_path / name, "--seed", seed).exit_code == 0
    one, same, other = (
        (tmp_path / name / "train.jsonl").read_bytes() for name in ("one", "same", "other")
    )
    assert one == same != other


def test_what_was_really_heard_comes_first(mixed: Path, tmp_path: Path) -> None:
    lines = reviewed(
        tmp_path / "gold.jsonl",
        ("We talk of grays today.", "We talk of grace today.", "fixed"),
        ("It was right as it was.", "It was right as it was.", "accepted"),
        ("This is all wrong.", "This is all wrong.", "rejected"),
        ("We never met before to day.", "We never met before today.", "fixed"),
    )
    assert run(mixed, tmp_path / "out", "--corrected", lines).exit_code == 0
    rows = list(read_rows(tmp_path / "out/train.jsonl"))
    recognised = [row for row in rows if row.origin == "recognised"]
    # Accepted text has no error, rejected text no translation, and the last one stands in dev.
    assert recognised == [
        Row(
            "We talk of grays today.",
            "Traducción de We talk of grace today.",
            "sermon",
            "recognised",
            group="s1",
        )
    ]


@pytest.mark.parametrize(
    ("session_id", "said"),
    [("s1", "It was said on that day."), ("held-out", "Nobody has judged this sentence yet.")],
    ids=["the same sentence", "another of the day"],
)
def test_what_is_held_out_for_tests_alone_comes_back_by_no_review(
    mixed: Path, tmp_path: Path, session_id: str, said: str
) -> None:
    lines = reviewed(tmp_path / "gold.jsonl", (said.lower(), said, "fixed"), session_id=session_id)
    assert run(mixed, tmp_path / "out", "--corrected", lines).exit_code == 0
    rows = list(read_rows(tmp_path / "out/train.jsonl"))
    assert not [row for row in rows if row.origin == "recognised"]


def test_what_was_really_heard_weighs_what_sermons_of_the_mix_do(
    mixed: Path, tmp_path: Path
) -> None:
    (mixed / "run.json").write_text(json.dumps({"metrics": {"weights": {"sermon": 2.0}}}))
    lines = reviewed(tmp_path / "gold.jsonl", ("Of grays.", "Of grace.", "fixed"))
    assert run(mixed, tmp_path / "out", "--corrected", lines).exit_code == 0
    rows = list(read_rows(tmp_path / "out/train.jsonl"))
    assert [row.weight for row in rows if row.origin == "recognised"] == [2.0]


def test_what_was_said_in_the_other_language_stays_out(mixed: Path, tmp_path: Path) -> None:
    fields = {"en": "Of grace.", "es": "De gracia.", "session_id": "s1", "decision": "fixed"}
    languages = {"source_language": "es", "target_language": "en"}
    lines = tmp_path / "gold.jsonl"
    heard = {"original_source_text": "De gracias."}
    lines.write_text(json.dumps(fields | languages | heard) + "\n")
    assert run(mixed, tmp_path / "out", "--corrected", lines).exit_code == 0
    rows = list(read_rows(tmp_path / "out/train.jsonl"))
    assert {(row.source_language, row.target_language) for row in rows} == {("en", "es")}


def test_line_that_is_no_reviewed_pair_is_named(mixed: Path, tmp_path: Path) -> None:
    lines = tmp_path / "pairs.jsonl"
    lines.write_text('{"en": "a", "es": "b"}\n')
    result = run(mixed, tmp_path / "out", "--corrected", lines)
    assert result.exit_code == 2
    assert "line 1" in result.output
    assert "--band corrected" in result.output


def test_a_mix_of_before_is_to_be_made_anew(mixed: Path, tmp_path: Path) -> None:
    (mixed / JUDGED).unlink()
    result = run(mixed, tmp_path / "out")
    assert result.exit_code == 2
    assert "from before mixes kept what is judged" in result.output
    assert "make it anew with `python -m training.mix`" in result.output
    elsewhere = run(tmp_path / "elsewhere", tmp_path / "out")
    assert "see that you named the right folder" in elsewhere.output


def test_term_is_misheard() -> None:
    confusions = Confusions([Confusion("atonement", "a tone meant")])
    assert confusions.misheard(SERMON, random.Random(1)) == SERMON.replace(
        "atonement", "a tone meant"
    )
    assert confusions.misheard("Atonement is made.", random.Random(1)) == "A tone meant is made."
    assert confusions.misheard("The atonements differ.", random.Random(1)) is None


def test_ordinary_word_is_put_in_only_where_its_context_tells_what_is_meant() -> None:
    confusions = Confusions([Confusion("Philippians", "Philippines", needs_context=True)])
    for telling in (
        "Turn with me to Philippians chapter 4.",
        "Paul wrote in the letter to the Philippians about joy.",
    ):
        heard = confusions.misheard(telling, random.Random(1))
        assert heard == telling.replace("Philippians", "Philippines")
    assert confusions.misheard("The Philippians were glad.", random.Random(1)) is None


def test_folder_of_texts_adds_its_terms(mixed: Path, tmp_path: Path) -> None:
    data = mini_data.write(tmp_path / "data")
    write_rows(mixed / "train.jsonl", [
        Row(f"The {word} came and the Holy Ghost spoke to all.", f"{word}.", "bible", "WEB-BES")
        for word in ("day", "night", "king", "people", "river", "house", "child")
    ])  # fmt: skip
    assert run(mixed, tmp_path / "out", "--data", data, "--noisy-share", "0.5").exit_code == 0
    sources = [row.source for row in read_rows(tmp_path / "out/train.jsonl")]
    assert any("holy goes" in source for source in sources)


def test_what_people_put_right_is_misheard_beside_the_same_words() -> None:
    found = put_right("we talk of grays and mercy", "We talk of grace and mercy.")
    assert [(each.said, each.heard) for each in found] == [("grace", "grays")]
    confusions = Confusions(found)
    assert confusions.misheard("He spoke of grace.", random.Random(1)) == "He spoke of grays."
    assert confusions.misheard("By grace you are saved.", random.Random(1)) is None


def test_other_sentence_is_no_error_to_learn() -> None:
    assert put_right("one two three four five six", "un deux trois quatre cinq sept") == []


def test_every_listed_term_that_needs_no_context_can_be_misheard() -> None:
    for each in read_listed(CORRECTIONS):
        if not each.needs_context:
            heard = Confusions([each]).misheard(f"We say {each.said} here.", random.Random(1))
            assert heard == f"We say {each.heard} here."


def test_homophones_go_both_ways_and_are_never_themselves() -> None:
    found = {(each.said, each.heard) for each in homophones()}
    assert {("their", "there"), ("there", "their"), ("there", "they're")} <= found
    assert not any(said == heard for said, heard in found)


def test_small_words_are_lost_and_no_others() -> None:
    kept = {"people", "not", "river", "believe", "who"}
    text = "The people of the river are not who believe that it is so."
    for seed in range(50):
        changed = with_dropped_words(text, random.Random(seed))
        assert changed is not None
        missing = len(text.split()) - len(changed.split())
        assert 1 <= missing <= 2
        assert kept <= set(changed.split())
    assert with_dropped_words("The man of God.", random.Random(1)) is None


def test_fillers_add_words_and_change_none() -> None:
    text = "We walked to the river and sang."
    for seed in range(50):
        changed = with_fillers(text, random.Random(seed))
        assert changed is not None
        rest = iter(changed.split())
        assert all(word in rest for word in text.split())  # in their order
        assert len(changed) > len(text)
    assert with_fillers("Let us pray.", random.Random(1)) is None
