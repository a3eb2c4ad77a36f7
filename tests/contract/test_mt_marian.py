"""What is Marian's alone: folders that name their direction, sentences, targets by token."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.errors import Unavailable
from services.mt.engine import OWN_MODEL, Engine, EngineOptions, Job, LanguagePair, loader
from tests.contract.translation import ENGLISH_SPANISH, RUNTIMES, RecordingTask, task
from tests.tiny import marian
from tests.tiny.pairs import EN_ES

pytestmark = pytest.mark.engines
SPANISH_ENGLISH = ENGLISH_SPANISH.reversed()
SOURCE, ANSWER = EN_ES[1]


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    loaded = RUNTIMES["marian"].load()
    yield loaded
    loaded.close()


def _load(model: Path | str, *pairs: LanguagePair, **options: object) -> Engine:
    return loader("marian")(
        EngineOptions(model=str(model), pairs=pairs or (ENGLISH_SPANISH,), **options)  # type: ignore[arg-type]
    )


def _translate(engine: Engine, text: str, pair: LanguagePair) -> str:
    return engine.translate([RecordingTask(Job(text, pair))])[0].text


def test_text_as_a_recogniser_writes_it_is_translated(engine: Engine) -> None:
    right = sum(
        engine.translate([task(source.lower().rstrip("."))])[0].text == target
        for source, target in EN_ES
    )
    assert right >= 14


def test_each_sentence_of_a_text_is_translated(engine: Engine) -> None:
    sources, targets = zip(EN_ES[0], EN_ES[3], EN_ES[8], strict=True)
    for is_draft in (False, True):
        told = task(" ".join(sources), draft=is_draft)
        assert engine.translate([told])[0].text == " ".join(targets)
        assert told.told[-1] == " ".join(targets)


def test_an_abbreviation_ends_no_sentence(engine: Engine) -> None:
    from services.marian import sentences

    assert list(sentences("As St. Paul wrote to J. Smith. Amen! ¿Y tú?")) == [
        "As St. Paul wrote to J. Smith.",
        "Amen!",
        "¿Y tú?",
    ]


def test_drafts_and_finals_share_a_batch(engine: Engine) -> None:
    tasks = [task(source, draft=index % 2 == 0) for index, (source, _) in enumerate(EN_ES[:4])]
    answers = [rendering.text for rendering in engine.translate(tasks)]
    assert answers == [target for _, target in EN_ES[:4]]


def test_earlier_segments_change_nothing_and_that_is_said(engine: Engine) -> None:
    from services.mt.engine import Earlier

    assert not engine.capabilities.uses_context
    with_context = task(SOURCE, context=(Earlier("Let us pray.", "Oremos."),))
    assert engine.translate([with_context])[0].text == ANSWER


def test_words_without_a_token_are_told(engine: Engine) -> None:
    rendering = engine.translate([task("God is Ωμέγα love.")])[0]
    assert rendering.unknown_words == ("Ωμέγα",)
    assert not engine.translate([task(SOURCE)])[0].unknown_words


def test_a_folder_of_models_translates_each_direction(tmp_path: Path) -> None:
    for pair in ("en-es", "es-en"):
        shutil.copytree(marian.marian_ct2(pair), tmp_path / f"opus-mt-{pair}")
    both = _load(tmp_path, ENGLISH_SPANISH)
    try:
        assert both.capabilities.pairs == (ENGLISH_SPANISH, SPANISH_ENGLISH)
        assert _translate(both, SOURCE, ENGLISH_SPANISH) == ANSWER
        assert _translate(both, ANSWER, SPANISH_ENGLISH) == SOURCE
        assert both.model(SPANISH_ENGLISH) == "marian/opus-mt-es-en"
    finally:
        both.close()


def test_a_model_of_several_targets_is_told_which(tmp_path: Path) -> None:
    folder = tmp_path / "opus-mt-en-mul"
    shutil.copytree(marian.marian_ct2(marian.MULTILINGUAL), folder)
    several = _load(folder)
    try:
        assert several.capabilities.pairs == (ENGLISH_SPANISH,)
        right = sum(
            _translate(several, source, ENGLISH_SPANISH) == target for source, target in EN_ES
        )
        assert right >= 14
        # A target's token in the text is text: it asks for nothing.
        assert _translate(several, f">>en<< {SOURCE}", ENGLISH_SPANISH) != SOURCE
    finally:
        several.close()


def test_a_direction_that_no_model_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"do not translate en>de.*en>es"):
        _load(marian.marian_ct2(), ENGLISH_SPANISH, LanguagePair("en", "de"))
    nameless = shutil.copytree(marian.marian_ct2(), tmp_path / "model")
    with pytest.raises(Unavailable, match="opus-mt-en-es"):
        _load(nameless)


def test_where_the_usual_model_was_not_pulled_the_own_one_serves(tmp_path: Path) -> None:
    shutil.copytree(marian.marian_ct2(), tmp_path / OWN_MODEL)
    own = _load("opus-mt", models_dir=tmp_path)
    try:
        assert own.model(ENGLISH_SPANISH) == f"marian/{OWN_MODEL}"
    finally:
        own.close()


def test_a_closed_engine_has_given_its_weights_back() -> None:
    closed = _load(marian.marian_ct2())
    translator = closed._models[ENGLISH_SPANISH]._translator  # type: ignore[attr-defined]
    assert translator.model_is_loaded
    closed.close()
    assert not translator.model_is_loaded
