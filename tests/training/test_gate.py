"""The gate: what passes, what does not, and who let it pass all the same."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from services.mt.engine import LanguagePair
from tests.training.versions import sealed
from training.evaluation import edge_cases
from training.evaluation.kept import TermCheck
from training.evaluation.sets import OWN_SERMON, EvaluationSet, read_set
from training.evaluation.thresholds import PARTS, Check, outcomes, read_checks
from training.evaluation.translation import SetResult, figures, system_result
from training.evaluation.translators import load_translator
from training.gate import THRESHOLDS, gate
from training.run_folder import fingerprint

EN_ES = LanguagePair("en", "es")
CHECKS = read_checks(THRESHOLDS)
Figures = dict[str, Any]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(gate, list(arguments))


def put(figures: Figures, path: str, value: Any) -> Figures:
    """The same figures with `value` where `path` leads; * leads to "one"."""
    *names, last = path.replace("*", "one").split(".")
    inner = figures
    for name in names:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return figures


def just_good(check: Check) -> float:
    """The figure nearest to the threshold that passes."""
    further = {"more_than": math.inf, "less_than": -math.inf}
    if check.bound in further:
        return math.nextafter(check.threshold, further[check.bound])
    return check.threshold


def just_bad(check: Check) -> float:
    """The figure nearest to the threshold that does not."""
    below = check.bound in ("least", "more_than")
    if check.bound in ("more_than", "less_than"):
        return check.threshold
    return math.nextafter(check.threshold, -math.inf if below else math.inf)


def all_good() -> Figures:
    found: Figures = {"schema": "glossa-evaluation", "direction": {"source": "en", "target": "es"}}
    for check in CHECKS:
        if check.part != "export":
            put(found, check.value, just_good(check))
    return found


def written(folder: Path, found: Figures) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "evaluation.json").write_text(json.dumps(found))
    return str(folder)


def gated(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "gate.json").read_text())
    return found


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.value)
def test_each_threshold_passes_at_its_edge_and_not_beyond(check: Check) -> None:
    parts = {check.part}
    (good,) = outcomes([check], put({}, check.value, just_good(check)), parts)
    (bad,) = outcomes([check], put({}, check.value, just_bad(check)), parts)
    assert (good.passed, bad.passed) == (True, False)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.value)
def test_what_was_not_measured_is_red_unless_the_file_calls_it_optional(check: Check) -> None:
    found = outcomes([check], {}, {check.part})
    assert [each.passed for each in found] == ([] if check.is_optional else [False])
    nothing = outcomes([check], put({}, check.value, None), {check.part})
    assert [each.passed for each in nothing] == ([] if check.is_optional else [False])


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check.part != "export"], ids=lambda check: check.value
)
def test_one_bad_figure_makes_the_gate_red_and_is_named(check: Check, tmp_path: Path) -> None:
    assert run("--evaluation", written(tmp_path / "good", all_good())).exit_code == 0
    bad = put(all_good(), check.value, just_bad(check))
    done = run("--evaluation", written(tmp_path / "bad", bad))
    assert done.exit_code == 1
    assert check.value.replace("*", "one") in done.output
    red = [each["value"] for each in gated(tmp_path / "bad")["checks"] if not each["passed"]]
    assert red == [check.value.replace("*", "one")]


def test_every_set_is_looked_at(tmp_path: Path) -> None:
    found = all_good()
    found["translation"]["sets"]["psalms"] = {"plain": {"chrf": {"high": -0.1}}}
    assert run("--evaluation", written(tmp_path, found)).exit_code == 1
    red = [each["value"] for each in gated(tmp_path)["checks"] if not each["passed"]]
    assert red == ["translation.sets.psalms.plain.chrf.high"]


def test_a_part_that_was_not_judged_is_gated_only_when_it_is_needed(tmp_path: Path) -> None:
    found = all_good()
    del found["recognition"]
    path = written(tmp_path, found)
    assert run("--evaluation", path).exit_code == 0
    done = run("--evaluation", path, "--needs", "recognition")
    assert done.exit_code == 1
    assert "not measured" in done.output


def test_an_evaluation_of_nothing_is_red(tmp_path: Path) -> None:
    done = run("--evaluation", written(tmp_path, {"schema": "glossa-evaluation"}))
    assert done.exit_code == 1
    assert "nothing was gated" in done.output


def test_an_override_passes_and_is_written_down(tmp_path: Path) -> None:
    found = put(all_good(), "translation.overall.plain.numbers.new", 0.5)
    done = run(
        *("--evaluation", written(tmp_path, found), "--who", "the deacon"),
        *("--override", "  only house numbers "),
    )
    assert done.exit_code == 0
    assert "overridden: only house numbers" in done.output
    gate_found = gated(tmp_path)
    assert (gate_found["is_green"], gate_found["may_deploy"]) == (False, True)
    override = gate_found["override"]
    assert (override["why"], override["who"]) == ("only house numbers", "the deacon")
    assert override["when"].endswith("Z")


def test_a_green_gate_needs_no_override_and_notes_none(tmp_path: Path) -> None:
    assert run("--evaluation", written(tmp_path, all_good()), "--override", "x").exit_code == 0
    assert gated(tmp_path)["override"] is None


@pytest.mark.parametrize("why", ["", "   "])
def test_an_override_without_a_reason_is_refused(why: str, tmp_path: Path) -> None:
    found = put(all_good(), "translation.overall.plain.numbers.new", 0.5)
    done = run("--evaluation", written(tmp_path, found), "--override", why)
    assert done.exit_code == 2
    assert not (tmp_path / "gate.json").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no [[check]]"),
        ("[[check", "cannot read"),
        ('[[check]]\nsays = "x"\nvalue = "translation.x"', "it must have one of least"),
        ('[[check]]\nsays = "x"\nvalue = "translation.x"\nleast = 1\nmost = 2', "must have one of"),
        ('[[check]]\nsays = "x"\nvalue = "weather.x"\nleast = 1', "no part of an evaluation"),
        ('[[check]]\nsays = "x"\nvalue = "export.x"\nleast = 1\nmsot = 2', "it has no msot"),
        ('[[check]]\nvalue = "export.x"\nleast = 1', "check 1: 'says'"),
    ],
)
def test_a_file_of_thresholds_that_gates_nothing_or_wrongly_is_refused(
    text: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "gate.toml").write_text(text)
    done = run(
        *("--evaluation", written(tmp_path, all_good())),
        *("--thresholds", str(tmp_path / "gate.toml")),
    )
    assert done.exit_code == 2
    assert said in done.output


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    assert run("--evaluation", str(tmp_path)).exit_code == 2
    assert run("--evaluation", written(tmp_path, {"schema": "glossa-run"})).exit_code == 2


# Real translations: Apertium's, and what people wrote in their place.


@pytest.fixture(scope="module")
def sermon() -> EvaluationSet:
    return read_set(f"sermon={OWN_SERMON}", EN_ES)


@pytest.fixture(scope="module")
def by_apertium(sermon: EvaluationSet) -> list[str]:
    translator = load_translator("apertium", EN_ES)
    try:
        return translator.translate([row.source for row in sermon.rows])
    finally:
        translator.close()


Judge = Callable[[list[str], list[str]], Figures]


@pytest.fixture
def judge(sermon: EvaluationSet) -> Judge:
    """An evaluation of two models' texts, with the sentences for modern speech as well."""
    modern = EvaluationSet("modern", "modern", sermon.rows, sermon.sha256)
    terms = TermCheck()
    asked = [row.source for row in sermon.rows]

    def result(evaluated: EvaluationSet, new: list[str], old: list[str]) -> SetResult:
        return SetResult(
            evaluated,
            "plain",
            system_result(sermon.rows, asked, new, terms, None),
            system_result(sermon.rows, asked, old, terms, None),
        )

    def judged(new: list[str], old: list[str]) -> Figures:
        shares = {case.kind: 1.0 for case in edge_cases.read_cases(edge_cases.OWN, EN_ES)}
        return {
            "schema": "glossa-evaluation",
            "direction": {"source": "en", "target": "es"},
            "translation": figures([result(each, new, old) for each in (sermon, modern)]),
            "edge_cases": {"shares": {"new": shares}},
            "latency": {"new": {"final": {"median_ms": 13.0}}},
        }

    return judged


def test_a_planted_improvement_passes(
    judge: Judge, sermon: EvaluationSet, by_apertium: list[str], tmp_path: Path
) -> None:
    better = [row.target for row in sermon.rows]
    done = run("--evaluation", written(tmp_path, judge(better, by_apertium)))
    assert done.exit_code == 0, done.output
    assert "green" in done.output


def test_a_planted_regression_fails_by_every_measure_that_it_lost(
    judge: Judge, sermon: EvaluationSet, by_apertium: list[str], tmp_path: Path
) -> None:
    better = [row.target for row in sermon.rows]
    assert run("--evaluation", written(tmp_path, judge(by_apertium, better))).exit_code == 1
    red = {each["value"] for each in gated(tmp_path)["checks"] if not each["passed"]}
    assert red == {
        "translation.overall.plain.chrf.low",
        "translation.sets.sermon.plain.chrf.high",
        "translation.sets.modern.plain.chrf.high",
        "translation.registers.modern.plain.chrf.difference",
        "translation.overall.plain.terms.difference",
        "translation.overall.plain.numbers.new",
        "translation.overall.plain.references.new",
        "translation.overall.plain.names.difference",
    }


def test_one_wrong_reference_among_good_translations_fails(
    judge: Judge, sermon: EvaluationSet, by_apertium: list[str], tmp_path: Path
) -> None:
    better = [row.target.replace("15:14", "15:41") for row in sermon.rows]
    assert run("--evaluation", written(tmp_path, judge(better, by_apertium))).exit_code == 1
    red = {each["value"] for each in gated(tmp_path)["checks"] if not each["passed"]}
    assert "translation.overall.plain.references.new" in red
    assert "translation.overall.plain.chrf.low" not in red


def exported(folder: Path, sermon: EvaluationSet, of_export: list[str], bleu: float) -> str:
    """As training.export writes it, of a source that translates as people do."""
    folder.mkdir()
    rows = [
        {"source": row.source, "reference": row.target, "of_source": row.target, "of_export": text}
        for row, text in zip(sermon.rows, of_export, strict=True)
    ]
    scores = {"source": {"bleu": 50.0, "chrf": 70.0}, "export": {"bleu": bleu, "chrf": 69.0}}
    (folder / "check.json").write_text(json.dumps({"count": 100, "rows": rows, **scores}))
    return str(sealed(folder))


def judged(export: str) -> str:
    """An evaluation of an export, good in all that was judged."""
    new = {"spec": f"marian:{export}", "sha256": fingerprint(Path(export))}
    folder = Path(export).with_suffix(".evaluation")
    return written(folder, all_good() | {"systems": {"new": new}})


def test_an_export_is_gated_by_what_it_lost(
    sermon: EvaluationSet, by_apertium: list[str], tmp_path: Path
) -> None:
    same = [row.target for row in sermon.rows]
    good = exported(tmp_path / "good", sermon, same, bleu=48.0)
    assert run("--evaluation", judged(good), "--export", good).exit_code == 0
    poor = exported(tmp_path / "poor", sermon, by_apertium, bleu=47.9)
    assert run("--evaluation", judged(poor), "--export", poor).exit_code == 1
    red = [
        each["value"]
        for each in gated(tmp_path / "poor.evaluation")["checks"]
        if not each["passed"]
    ]
    assert red == ["export.bleu_loss", "export.term_loss"]


def test_a_good_export_is_red_where_another_model_was_judged(
    sermon: EvaluationSet, tmp_path: Path
) -> None:
    same = [row.target for row in sermon.rows]
    one = exported(tmp_path / "one", sermon, same, bleu=50.0)
    other = exported(tmp_path / "other", sermon, same, bleu=49.0)
    assert run("--evaluation", judged(one), "--export", one).exit_code == 0
    done = run("--evaluation", judged(one), "--export", other)
    assert done.exit_code == 1
    red = [
        each["value"] for each in gated(tmp_path / "one.evaluation")["checks"] if not each["passed"]
    ]
    assert red == ["export.is_what_was_judged"]


def test_an_export_that_was_never_checked_is_refused(tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    path = written(tmp_path, all_good())
    done = run("--evaluation", path, "--export", str(tmp_path / "export"))
    assert done.exit_code == 2
    assert "export it without --no-check" in done.output


def test_the_shipped_file_gates_every_part() -> None:
    assert {check.part for check in CHECKS} == set(PARTS)
