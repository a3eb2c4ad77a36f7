"""The text of partials with misheard terms mended."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.stt.agreement import Commitment, LocalAgreement
from services.stt.corrections import Corrections
from services.stt.engine import Hypothesis, HypothesisWord
from services.stt.partial_text import StableText


@pytest.fixture(scope="module")
def corrections(tmp_path_factory: pytest.TempPathFactory) -> Corrections:
    path = tmp_path_factory.mktemp("corrections") / "corrections_en.tsv"
    path.write_text(
        "heard\tintended\tkind\tcontext_needed\tcontext\n"
        "a b\tAB\tname\tno\t\n"
        "c\tC one two\tname\tyes\t_ d\n"
        "b c d\tBCD\tname\tno\t\n"
    )
    return Corrections.read(path)


def words(text: str) -> tuple[HypothesisWord, ...]:
    return tuple(HypothesisWord(word, 0, 0, 0.9) for word in text.split())


def shown(corrections: Corrections, *passes: tuple[str, str]) -> list[tuple[str, str]]:
    text = StableText(corrections)
    results = [text.show(Commitment(words(stable), words(rest))) for stable, rest in passes]
    return [(result.stable, result.unstable) for result in results]


def test_a_term_is_mended_as_soon_as_it_is_heard(corrections: Corrections) -> None:
    assert shown(corrections, ("x", "a b")) == [("x", "AB")]


def test_a_term_is_stable_when_all_its_words_are(corrections: Corrections) -> None:
    assert shown(corrections, ("x a", "b"), ("x a b", "y")) == [("x", "AB"), ("x AB", "y")]


def test_what_is_stable_waits_for_no_context_and_is_not_taken_back(
    corrections: Corrections,
) -> None:
    assert shown(corrections, ("x c", ""), ("x c d", "y")) == [("x c", ""), ("x c d", "y")]
    assert shown(corrections, ("x", "c d"), ("x c d", "")) == [
        ("x", "C one two d"),
        ("x C one two d", ""),
    ]


def test_a_term_that_begins_in_what_is_stable_comes_too_late(corrections: Corrections) -> None:
    assert shown(corrections, ("x b", ""), ("x b", "c d"), ("x b c d", "e")) == [
        ("x b", ""),
        ("x b", "c d"),
        ("x b c d", "e"),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.sampled_from("abcdx"), max_size=9), max_size=10))
def test_stable_text_only_grows(corrections: Corrections, passes: list[list[str]]) -> None:
    agreement, text = LocalAgreement(), StableText(corrections)
    previous: list[str] = []
    for heard in passes:
        commitment = agreement.accept(Hypothesis(words(" ".join(heard))))
        stable = text.show(commitment).stable.split()
        assert stable[: len(previous)] == previous
        previous = stable


@given(st.lists(st.lists(st.sampled_from("abcdx"), max_size=9), max_size=10))
def test_without_corrections_no_word_is_lost_or_doubled(passes: list[list[str]]) -> None:
    agreement, text = LocalAgreement(), StableText(Corrections())
    for heard in passes:
        commitment = agreement.accept(Hypothesis(words(" ".join(heard))))
        result = text.show(commitment)
        expected = [word.text for word in (*commitment.stable, *commitment.unstable)]
        assert [*result.stable.split(), *result.unstable.split()] == expected
