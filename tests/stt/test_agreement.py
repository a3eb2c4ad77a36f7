"""Stable and unstable text of partials."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.stt.agreement import LocalAgreement, PartialText


def test_the_first_partial_is_all_unstable() -> None:
    assert LocalAgreement().accept("in the beginning") == PartialText("", "in the beginning")


def test_what_two_partials_agree_on_is_stable_but_for_the_last_words() -> None:
    agreement = LocalAgreement()
    agreement.accept("in the beginning god")
    assert agreement.accept("in the beginning good crater") == PartialText(
        "in the beginning", "good crater"
    )


def test_stable_text_stays_when_a_later_partial_disagrees() -> None:
    agreement = LocalAgreement()
    agreement.accept("in the beginning god made")
    agreement.accept("in the beginning god made it")
    assert agreement.accept("inner the beginning").stable == "in the beginning god"


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=12))
def test_stable_text_only_grows(passes: list[list[str]]) -> None:
    agreement = LocalAgreement()
    previous: list[str] = []
    for words in passes:
        stable = agreement.accept(" ".join(words)).stable.split()
        assert stable[: len(previous)] == previous
        previous = stable
