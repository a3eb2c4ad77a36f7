"""What is taken for no translation, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.spoken import SAMPLE_TEXT
from services.mt import runaway
from tests.mt.scripted import EN_ES, ES_EN

SOURCE = "We thank you for the bread that we have today."


@pytest.mark.parametrize(
    ("answer", "doubt"),
    [
        ("Te damos gracias por el pan que tenemos hoy.", None),
        ("Te damos gracias gracias gracias gracias gracias gracias gracias por el pan", "loop"),
        ("por el pan de hoy por el pan de hoy por el pan de hoy por el pan de hoy", "loop"),
        ("Te damos graciasasasasasasasasasasasasasasasas", "loop"),
        ("Te damos gracias por el pan. Y luego pasó otra cosa distinta,", None),
        (" ".join(f"palabra{number}" for number in range(40)), "length"),
        ("Te damos gracias por el pan<end_of_turn>", "leak"),
        ("Te damos gracias<|im_end|> por el pan", "leak"),
        ("Here is the translation: te damos gracias por el pan", "leak"),
        ("You are a professional English (en) to Spanish (es) translator.", "leak"),
        ("We thank you for the bread that we have today.", "copied"),
        ("We thank you for the pan that we have today.", "copied"),
        ("", "empty"),
        (" \n", "empty"),
    ],
)
def test_answers_are_doubted_for_what_is_wrong_with_them(answer: str, doubt: str | None) -> None:
    assert runaway.doubts(SOURCE, answer, EN_ES) == ((doubt,) if doubt else ())


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("Amen", "Amén"),
        ("Amen, amen, amen!", "Amen, amen, amen!"),
        ("Holy, holy, holy, holy, holy is the Lord", "Santo, santo, santo, santo, santo es"),
        ("no no no no no no no no", "no no no no no no no no"),
        ("1 2 3 4 5 6 7 8", "1 2 3 4 5 6 7 8"),
        ("Peter, Andrew, Philip and Thaddaeus", "Peter, Andrew, Philip y Thaddaeus"),
        ("Hosanna", "Hosanna"),
        ("OK", "Está bien, de acuerdo, como tú digas."),
        ("write <bos> and </s> on the board", "escribe <bos> y </s> en la pizarra"),
        ("the translation: it is his", "la traducción: es suya"),
    ],
)
def test_names_numbers_short_texts_and_what_the_source_does_too_are_excused(
    source: str, answer: str
) -> None:
    assert runaway.doubts(source, answer, EN_ES) == ()


def test_the_sample_text_is_taken_for_a_copy_of_itself_and_for_nothing_else() -> None:
    for line in SAMPLE_TEXT.read_text(encoding="utf-8").splitlines():
        text = line.split("\t")[0] or "-"
        assert set(runaway.doubts(text, text, EN_ES)) <= {"copied"}


def test_the_length_that_is_too_long_depends_on_the_pair() -> None:
    source = "a" * 1000
    assert runaway.length_limit(source, EN_ES) > runaway.length_limit(source, ES_EN)


def test_an_answer_is_running_away_only_once_it_loops_or_is_too_long() -> None:
    watch = runaway.Watch(SOURCE, EN_ES)
    growing = "te damos gracias por el pan"
    for end in range(len(growing)):
        assert not watch.is_running_away(growing[:end])
    assert watch.is_running_away(growing + " el pan el pan el pan el pan")
    assert watch.is_running_away(growing + "anananananananananananananan")
    assert watch.is_running_away(" ".join(map(str, range(1000))))


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("Holy, holy, holy, holy, holy is the Lord", "Santo, santo, santo, santo, santo es"),
        ("Nooooooooooooooo, he said", "Nooooooooooooooo, dijo"),
        ("1000000000000000 is a number", "1000000000000000 es un número"),
    ],
)
def test_what_the_source_does_too_is_not_stopped(source: str, answer: str) -> None:
    watch = runaway.Watch(source, EN_ES)
    assert not any(watch.is_running_away(answer[:end]) for end in range(len(answer) + 1))
    assert runaway.doubts(source, answer, EN_ES) == ()


@pytest.mark.parametrize(
    ("text", "repeats"),
    [("", 0), ("one", 1), ("one two", 1), ("holy, holy, holy", 3), ("I do, I do, I do not", 3)],
)
def test_repeats_in_a_row_are_counted(text: str, repeats: int) -> None:
    assert runaway.most_repeats(text) == repeats


def test_what_is_shown_of_a_runaway_answer_ends_where_its_loop_begins() -> None:
    looping = "Te damos gracias por el pan" + " y el vino" * 30
    assert runaway.mended(SOURCE, looping, EN_ES) == "Te damos gracias por el pan y el vino"
    assert runaway.mended(SOURCE, "Gracias.<end_of_turn>\nuser", EN_ES) == "Gracias."
    endless = " ".join(str(number) for number in range(1000))
    mended = runaway.mended(SOURCE, endless, EN_ES)
    assert len(mended) <= runaway.length_limit(SOURCE, EN_ES)
    assert endless.startswith(mended)


LOOPING = st.lists(
    st.tuples(
        st.sampled_from(["el pan ", "vino, ", "¡Amén! ", "ja", "Dios es "]), st.integers(1, 20)
    )
).map(lambda units: "".join(unit * times for unit, times in units))


@given(st.text(max_size=200), st.one_of(st.text(max_size=400), LOOPING))
def test_any_texts_are_judged_and_what_is_mended_does_not_loop(source: str, answer: str) -> None:
    runaway.doubts(source, answer, EN_ES)
    mended = runaway.mended(source, answer, EN_ES)
    assert len(mended) <= runaway.length_limit(source, EN_ES)
    assert not {"loop", "length"} & set(runaway.doubts(source, mended, EN_ES))
