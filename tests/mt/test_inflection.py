"""Forms of a word, and words in the form of another."""

from __future__ import annotations

import pytest

from services.mt.inflection import inflected_alike, is_form, other_endings


@pytest.mark.parametrize(
    ("word", "found", "same"),
    [
        ("pecado", "pecados", True),
        ("perdón", "perdones", True),
        ("justo", "justas", True),
        ("gracia", "Gracia", True),
        ("gracia", "grande", False),
        ("justo", "justicia", False),
        ("fe", "feo", False),
        ("José", "Josué", False),
        ("Pablo", "pablo", True),
        ("", "a", False),
    ],
)
def test_a_form_shares_the_stem_and_a_name_has_none(word: str, found: str, same: bool) -> None:
    assert is_form(word, found) is same


@pytest.mark.parametrize(
    ("alone", "found", "target", "shown"),
    [
        ("honrado", "honradas", "justo", "justas"),
        ("honrado", "honrada", "justo", "justa"),
        ("tumba", "tumbas", "sepulcro", "sepulcros"),
        ("tumba", "tumba", "sepulcro", "sepulcro"),
        ("honrado", "honrada", "fiel", None),
        ("honrado", "honrada", "justicia", None),
        ("honrada", "honrado", "justa", None),
    ],
)
def test_a_word_takes_the_gender_and_number_of_what_it_replaces(
    alone: str, found: str, target: str, shown: str | None
) -> None:
    pattern = other_endings(alone)
    assert pattern is not None
    match = pattern.fullmatch(found)
    assert match is not None
    assert inflected_alike(target, alone, match["ending"]) == shown


def test_words_that_do_not_inflect_so_are_left_alone() -> None:
    assert other_endings("fiel") is None
    assert other_endings("alcohol santo") is None
