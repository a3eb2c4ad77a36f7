"""What stands in an evaluation is found again in a text to be trained on."""

from __future__ import annotations

import pytest

from training.rows import Row
from training.texts.leakage import Leakage

VERSE = (
    "In the days when the judges judged, there was a famine in the land, and a certain man went "
    "to live in the country of Moab."
)
SENTENCE = "He sold the old house near the river."


@pytest.fixture(scope="module")
def leakage() -> Leakage:
    return Leakage([VERSE, SENTENCE, "I don't know."])


@pytest.mark.parametrize(
    "text",
    [
        VERSE,
        VERSE.lower().replace(",", ""),
        f"So it is written. {VERSE} That is where it begins.",
        VERSE.replace("in the land", "in that land").replace("Moab", "Edom"),
        f"My brother wrote to me that {SENTENCE.lower()}",
        "I don't know!",
    ],
    ids=["same", "bare", "within", "near copy", "whole sentence within", "short and the same"],
)
def test_text_of_the_evaluation_is_leaked(leakage: Leakage, text: str) -> None:
    assert leakage.is_leaked(text)


@pytest.mark.parametrize(
    "text",
    [
        "I don't know what to say about it.",
        "Once upon a time there was a famine in the land, and people left their towns.",
        "He sold the old house near the harbour.",
        "",
    ],
    ids=["short within", "a phrase in common", "another end", "empty"],
)
def test_other_text_is_not(leakage: Leakage, text: str) -> None:
    assert not leakage.is_leaked(text)


def test_nothing_is_leaked_without_an_evaluation() -> None:
    assert not Leakage([]).is_leaked(VERSE)
    assert not Leakage(["", "..."]).is_leaked("...")


def test_pair_goes_for_either_of_its_texts() -> None:
    leakage = Leakage.of_rows([Row(SENTENCE, "Vendió la casa.", "general", "test")])
    rows = [
        Row(SENTENCE, "Otra cosa.", "general", "a"),
        Row("Something else.", "¡Vendió la casa!", "general", "b"),
        Row("Something else.", "Otra cosa.", "general", "c"),
    ]
    assert leakage.parted(rows) == ([rows[2]], 2)


def test_session_that_is_judged_with_is_leaked_whole() -> None:
    judged = [
        Row("Amen.", "Amén.", "sermon", "s", "sunday"),
        Row("Oh.", "Oh.", "sermon", "s"),
        Row("And.", "Y.", "bible", "s", "RUT"),
    ]
    leaked, *others = [
        Row("Quite another sentence.", "Otra frase.", "sermon", "s", "sunday"),
        Row("Of another day.", "De otro día.", "sermon", "s", "monday"),
        Row("Of no day.", "De ningún día.", "sermon", "s"),
        Row("Of a book of the Bible.", "De un libro.", "bible", "s", "RUT"),
    ]
    assert Leakage.of_rows(judged).parted([leaked, *others]) == (others, 1)
