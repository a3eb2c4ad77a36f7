"""Places in the Bible, hidden from the model that would garble them and written by rule."""

from __future__ import annotations

import pytest

from services.bible_references import places, references, written
from services.mt.places import STAND_IN, found, hidden, hidden_again, shown, spelled


@pytest.mark.parametrize(
    ("said", "english", "spanish"),
    [
        ("Luke chapter fifteen, verse eleven", "Luke 15:11", "Lucas 15:11"),
        (
            "first corinthians twelve verses four through seven",
            "1 Corinthians 12:4-7",
            "1 Corintios 12:4-7",
        ),
        ("verses 3 to 5 of chapter 2 of Second Samuel", "2 Samuel 2:3-5", "2 Samuel 2:3-5"),
        ("the twenty third psalm", "the Psalm 23", "the Salmo 23"),
        ("Acts 2:38-41", "Acts 2:38-41", "Hechos 2:38-41"),
        ("First Kings nineteen", "1 Kings 19", "1 Reyes 19"),
        ("Jude 3", "Jude 1:3", "Judas 1:3"),
        ("Third John 4", "3 John 1:4", "3 Juan 1:4"),
        ("the twelfth chapter of Exodus", "the Exodus 12", "the Éxodo 12"),
        ("Matthew 5, verses 3 and 4", "Matthew 5:3 and 4", "Mateo 5:3 and 4"),
        ("Song of Solomon 2:4", "Song of Songs 2:4", "Cantar de los Cantares 2:4"),
        ("John 3:16 and Romans eight", "John 3:16 and Romans 8", "Juan 3:16 and Romanos 8"),
    ],
)
def test_a_place_is_written_where_it_was_said(said: str, english: str, spanish: str) -> None:
    there = found(f"Turn to {said} with me", "en")
    assert spelled(f"Turn to {said} with me", there, "en") == f"Turn to {english} with me"
    assert spelled(f"Turn to {said} with me", there, "es") == f"Turn to {spanish} with me"
    assert STAND_IN in hidden(f"Turn to {said} with me", there)


@pytest.mark.parametrize(
    "text",
    [
        "We told John three times.",
        "He acts one way and speaks another.",
        "Ruth two days later went home.",
        "Mark & Luke 15:11",  # it says the stand-in itself
        "There is no place here.",
    ],
)
def test_what_may_be_something_else_is_left_to_the_translator(text: str) -> None:
    assert found(text, "en") == []
    assert hidden(text, found(text, "en")) == text


def test_what_is_written_is_read_as_the_same_place() -> None:
    said = "Second Peter chapter one verse twenty one, Psalm 119:105 and Philemon 6"
    for language in ("en", "es"):
        for place in places(said, "en"):
            assert references(written(place, language), language) == [place.reference]


def test_places_are_shown_in_order_and_stand_ins_too_many_go() -> None:
    source = "Titus 3:5 and Hebrews 11 say so."
    there = found(source, "en")
    assert hidden(source, there) == f"{STAND_IN} and {STAND_IN} say so."
    assert shown("& y & lo dicen.", there, "es") == "Tito 3:5 y Hebreos 11 lo dicen."
    assert shown("& y & lo dicen, &.", there, "es") == "Tito 3:5 y Hebreos 11 lo dicen,."
    assert shown("& lo dice.", there, "es") == "Tito 3:5 lo dice."
    assert shown("Pérez & Hijos", [], "es") == "Pérez & Hijos"


def test_a_committed_place_stays_as_it_is_shown() -> None:
    there = found("Turn to Luke chapter fifteen, verse eleven, please", "en")
    committed = "Abran en Lucas 15:11,"
    again = hidden_again(committed, there, "es")
    assert again == f"Abran en {STAND_IN},"
    assert shown(again, there, "es") == committed
    assert hidden_again("Abran en Lucas 15", there, "es") == "Abran en Lucas 15"
