"""Names in English, and whether Spanish has kept them."""

from __future__ import annotations

import pytest

from services.mt.names import Names, english_spanish

NAMES = english_spanish()


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ("Then Peter answered him.", "Entonces Pedro le respondió."),
        ("then peter answered him", "entonces pedro le respondió"),
        ("Peter's boat was empty.", "La barca de Pedro estaba vacía."),
        ("He spoke to Jesus about Jerusalem.", "Habló con Jesús de Jerusalén."),
        ("The letter of James is short.", "La carta de Santiago es corta."),
        ("We read James and John.", "Leemos a Jacobo y a Juan."),
        ("See you on Monday.", "Hasta el lunes."),
        ("They are in London with Jonathan.", "Están en Londres con Jonatán."),
        ("I met Mr. Kowalczyk.", "Conocí al señor Kowalczyk."),
        ("The English and the French agreed.", "Los ingleses y los franceses coincidieron."),
        ("NEBUCHADNEZZAR WENT AWAY", "NABUCODONOSOR SE FUE"),
    ],
)
def test_a_name_is_kept_in_the_form_that_spanish_has_for_it(source: str, kept: str) -> None:
    assert NAMES.within(source)
    assert NAMES.missing(source, kept) == ()


@pytest.mark.parametrize(
    ("source", "target", "lost"),
    [
        ("Then Peter answered him.", "Entonces Juan le respondió.", ("Peter",)),
        ("then peter answered him", "entonces le respondió", ("peter",)),
        ("I met Mr. Kowalczyk.", "Conocí al señor.", ("Kowalczyk",)),
        ("Paul's letter came on Monday.", "La carta llegó el martes.", ("Paul", "Monday")),
    ],
)
def test_a_lost_name_is_told_as_it_is_written(
    source: str, target: str, lost: tuple[str, ...]
) -> None:
    assert NAMES.missing(source, target) == lost


@pytest.mark.parametrize(
    "text",
    [
        "Grace is free. Mercy is new every morning.",
        "And he said, Go into the city.",
        "I'm sure that I know Him, the King of kings.",
        "Will you mark the page?",
        "OK, we have a TV.",
        "will you mark the page and may the job be done",
        "«Come,» he said. “Come!”",
        "",
    ],
)
def test_words_that_are_no_names_are_left_alone(text: str) -> None:
    assert NAMES.within(text) == ()


def test_a_name_that_the_glossary_holds_is_the_glossarys() -> None:
    assert NAMES.missing("We follow Peter.", "Seguimos.", owned=["Saint Peter"]) == ()


def test_a_table_may_leave_a_word_unchecked_or_to_likeness() -> None:
    names = Names({"peter": ("pedro",), "baker": ("-",), "anna": ()})
    source = "Meet Peter, Baker and Anna."
    assert names.within(source) == ("Peter", "Anna")
    assert names.missing(source, "Conoce a Pedro y a Ana.") == ()
    assert names.missing(source, "Conoce a Ana.") == ("Peter",)
