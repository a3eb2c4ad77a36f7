"""Where sentences end."""

from __future__ import annotations

import pytest

from services.stt.sentences import ends_sentence, last_sentence_end


@pytest.mark.parametrize(
    ("word", "following"),
    [
        ("grace.", ""),
        ("grace.", "And"),
        ("grace?", ""),
        ("grace!”", "He"),
        ("gracia.»", "Y"),
        ("verse?", "and"),
        ("on…", "And"),
        ("on...", "And"),
        ("amén.", "¿Quién"),
        ("阿门。", ""),
    ],
)
def test_a_sentence_ends(word: str, following: str) -> None:
    assert ends_sentence(word, following)


@pytest.mark.parametrize(
    ("word", "following"),
    [
        ("grace", ""),
        ("grace,", "And"),
        ("Mr.", "Smith"),
        ("(Dr.", "King"),
        ("v.", "3"),
        ("3.", ""),
        ("3:16.", "For"),
        ("II.", "Kings"),
        ("S.", "Lewis"),
        ("a.m.", ""),
        ("U.S.", "Army"),
        ("Sra.", "García"),
        ("etc.", "and"),
        ("on...", ""),
        ("on…", "and"),
        ("grace.", "and"),
        ("", ""),
        (".", "And"),
    ],
)
def test_a_sentence_goes_on(word: str, following: str) -> None:
    assert not ends_sentence(word, following)


def test_the_last_end_counts() -> None:
    assert last_sentence_end(["Amen.", "We", "pray.", "And", "so"]) == 3
    assert last_sentence_end(["And", "so", "we"]) == 0
    assert last_sentence_end([]) == 0


def test_what_follows_the_words_counts_too() -> None:
    words = ["He", "said", "it", "etc."]
    assert last_sentence_end(["He", "went", "on…"], "Then") == 3
    assert last_sentence_end(["He", "went", "on…"], "then") == 0
    assert last_sentence_end(words, "and") == 0
