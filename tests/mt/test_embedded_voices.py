"""Which of the embedded translator's two speaks: a tiny Marian model and the real Apertium."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.mt.engine import Engine, EngineOptions, Job, LanguagePair, Rendering, loader
from services.mt.glossary import Glossary, Term
from services.mt.task import TextTask
from tests.mt.scripted import counted
from tests.tiny.pairs import EN_ES as LEARNED

pytestmark = pytest.mark.engines

EN_ES = LanguagePair("en", "es")
OWN, RULES = "marian/tiny-en-es", "apertium/eng-spa"
KNOWN, KNOWN_ES = LEARNED[11]  # "If you confess with your mouth that Jesus is Lord ..."
UNHEARD = "We have three books on the table."
UNHEARD_ES = "Tenemos tres libros en la mesa."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.tiny.marian import marian_ct2

    folder = tmp_path_factory.mktemp("models") / "tiny-en-es"
    shutil.copytree(marian_ct2("en-es"), folder)
    return folder


@pytest.fixture(scope="module")
def engine(model: Path) -> Iterator[Engine]:
    loaded = _load(model)
    yield loaded
    loaded.close()


def _load(model: Path) -> Engine:
    return loader("embedded")(EngineOptions(model=str(model), threads=1))


def _translated(
    engine: Engine, text: str, *terms: Term, pair: LanguagePair = EN_ES, **job: object
) -> Rendering:
    task = TextTask(Job(text, pair, **job), Glossary(terms), deadline=None)  # type: ignore[arg-type]
    return engine.translate([task])[0]


def test_its_own_model_speaks_what_it_knows(engine: Engine) -> None:
    assert engine.capabilities.lacks == ""
    assert engine.model(EN_ES) == f"{OWN}+{RULES}"
    for text in (KNOWN, KNOWN.lower().rstrip(".")):
        for draft in (False, True):
            rendering = _translated(engine, text, draft=draft)
            assert rendering.model == OWN
            assert rendering.token_count > 5
    assert _translated(engine, KNOWN).text == KNOWN_ES


def test_apertium_speaks_where_a_check_fails(engine: Engine) -> None:
    failed = {"kind": "final", "check": "number"}
    spoken = {"kind": "final", "model": RULES}
    before = (
        counted("glossa_mt_failed_checks_total", **failed),
        counted("glossa_mt_sentences_total", **spoken),
    )
    rendering = _translated(engine, UNHEARD)
    assert (rendering.text, rendering.model) == (UNHEARD_ES, RULES)
    assert counted("glossa_mt_failed_checks_total", **failed) == before[0] + 1
    assert counted("glossa_mt_sentences_total", **spoken) == before[1] + 1


@pytest.mark.parametrize("draft", [False, True])
def test_of_several_sentences_each_is_spoken_by_the_better_one(engine: Engine, draft: bool) -> None:
    rendering = _translated(engine, f"{UNHEARD} {KNOWN} {UNHEARD}", draft=draft)
    assert rendering.text == f"{UNHEARD_ES} {KNOWN_ES} {UNHEARD_ES}"
    assert rendering.model == f"{OWN}+{RULES}"


def test_a_pair_that_the_own_model_does_not_know_is_apertiums(engine: Engine) -> None:
    rendering = _translated(engine, "Tenemos tres libros.", pair=EN_ES.reversed())
    assert rendering.model == "apertium/spa-eng"
    assert "three books" in rendering.text


def test_a_term_that_the_own_model_says_otherwise_brings_the_one_that_takes_it(
    engine: Engine,
) -> None:
    rendering = _translated(engine, KNOWN, Term("mouth", "labios"))
    assert "labios" in rendering.text
    assert rendering.model == RULES
    assert [(term.source, term.target) for term in rendering.placed_terms] == [("mouth", "labios")]
    kept = _translated(engine, KNOWN, Term("mouth", "boca"))
    assert (kept.model, kept.placed_terms) == (OWN, ())


def test_a_draft_goes_on_from_what_is_committed_behind_finished_sentences(engine: Engine) -> None:
    heard, committed = LEARNED[2][0], "El Señor es el pastor"  # freely: "mi pastor"
    rendering = _translated(engine, heard, draft=True, committed_text=committed)
    assert rendering.text.startswith(committed)
    first, first_es = LEARNED[3]
    both = _translated(
        engine, f"{first} {heard}", draft=True, committed_text=f"{first_es} {committed}"
    )
    assert both.text.startswith(f"{first_es} {committed}")
    assert both.model == OWN


def test_a_draft_that_apertium_began_is_not_taken_from_it(engine: Engine) -> None:
    heard = KNOWN.rstrip(".")
    rules = loader("apertium")(EngineOptions())
    try:
        by_rules = _translated(rules, heard).text
    finally:
        rules.close()
    own = _translated(engine, heard, draft=True)
    assert own.model == OWN
    assert own.text != by_rules
    shown_by_rules = _translated(engine, heard, draft=True, previous_text=by_rules)
    assert (shown_by_rules.text, shown_by_rules.model) == (by_rules, RULES)
    shown_by_own = _translated(engine, heard, draft=True, previous_text=own.text)
    assert (shown_by_own.text, shown_by_own.model) == (own.text, OWN)
    # What neither said is not a reason to leave the own model.
    neither = _translated(engine, heard, draft=True, previous_text="Quizás mañana vendrá otro.")
    assert neither.model == OWN
    # The final is chosen afresh.
    assert _translated(engine, KNOWN, previous_text=by_rules).model == OWN


def test_a_final_that_was_misled_by_what_was_committed_is_translated_freely(
    engine: Engine,
) -> None:
    rendering = _translated(engine, KNOWN, committed_text="Tenemos tres libros que")
    assert (rendering.text, rendering.model) == (KNOWN_ES, OWN)


def test_damaged_weights_leave_apertium_and_are_told(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "tiny-en-es")
    (folder / "model.bin").write_bytes(b"no weights")
    damaged = _load(folder)
    try:
        assert str(folder) in damaged.capabilities.lacks
        assert _translated(damaged, KNOWN).model == RULES
    finally:
        damaged.close()


def test_where_apertium_dies_the_own_model_speaks_on(model: Path) -> None:
    lone = _load(model)
    try:
        lone._rules_engine.close()  # type: ignore[attr-defined]

        def broken(_: object) -> None:
            from services.errors import EngineFailed

            raise EngineFailed("it is gone")

        lone._rules_engine.translate = broken  # type: ignore[attr-defined]
        rendering = _translated(lone, UNHEARD)
        assert rendering.model == OWN
        assert rendering.text
    finally:
        lone.close()
