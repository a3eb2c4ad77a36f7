"""Which words of partials are settled, on scripted passes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.stt.agreement import Commitment, LocalAgreement
from services.stt.engine import Hypothesis, HypothesisWord


def heard(text: str) -> Hypothesis:
    words = text.split()
    return Hypothesis(
        tuple(HypothesisWord(w, i * 300, i * 300 + 250, 0.9) for i, w in enumerate(words))
    )


def texts(commitment: Commitment) -> tuple[str, str]:
    return (
        " ".join(word.text for word in commitment.stable),
        " ".join(word.text for word in commitment.unstable),
    )


def after(*passes: str, held_back_words: int = 0) -> tuple[str, str]:
    policy = LocalAgreement(held_back_words)
    return [texts(policy.accept(heard(text))) for text in passes][-1]


def defined(passes: list[list[str]]) -> list[list[str]]:
    """LocalAgreement-2 as arXiv 2307.14743 defines it: what is settled after each pass."""
    settled: list[str] = []
    previous: list[str] = []
    after_each = []
    for words in passes:
        length = 0
        while previous[length : length + 1] == words[length : length + 1] != []:
            length += 1
        if length > len(settled) and words[: len(settled)] == settled:
            settled = words[:length]
        previous = words
        after_each.append(settled)
    return after_each


def test_the_first_pass_is_all_unstable() -> None:
    assert after("in the beginning") == ("", "in the beginning")


def test_what_two_passes_agree_on_is_stable_to_the_last_word() -> None:
    assert after("in the beginning god", "in the beginning good crater") == (
        "in the beginning",
        "good crater",
    )
    assert after("in the beginning", "in the beginning") == ("in the beginning", "")


def test_an_engine_that_rewrites_its_last_words_has_them_held_back() -> None:
    passes = ("in the beginning god made", "in the beginning god made")
    assert after(*passes, held_back_words=2) == ("in the beginning", "god made")


def test_a_pass_of_fewer_words_than_are_held_back_settles_none() -> None:
    assert after("in the", "in the", held_back_words=3) == ("", "in the")


def test_stable_text_stays_when_a_later_pass_disagrees() -> None:
    stable, _ = after("in the beginning", "in the beginning", "inner the beginning")
    assert stable == "in the beginning"


def test_passes_that_rewrite_what_is_stable_still_settle_what_follows() -> None:
    passes = ["in the beginning"] * 2 + ["inner beginning god made"] * 2
    assert after(*passes) == ("in the beginning god made", "")


def test_a_stable_word_does_not_come_twice_when_a_pass_hears_another_before_it() -> None:
    passes = ["we are saved"] * 2 + ["and we are saved by grace"] * 2
    assert after(*passes) == ("we are saved by grace", "")


def test_case_and_commas_do_not_keep_words_from_being_stable() -> None:
    assert after("lord my god", "Lord, my God and") == ("Lord, my God", "and")


def test_a_full_stop_where_the_audio_stopped_is_taken_back() -> None:
    assert after("in the beginning God.", "in the beginning God created.") == (
        "in the beginning God",
        "created.",
    )


def test_a_full_stop_is_stable_only_when_seen_twice() -> None:
    assert after("saved by grace", "saved by grace. And") == ("saved by", "grace. And")
    assert after("saved by grace.", "saved by grace. And") == ("saved by grace.", "And")


def test_a_pass_without_words_settles_and_loses_nothing() -> None:
    assert after("grace", "grace", "") == ("grace", "")
    assert after("grace", "", "grace") == ("", "grace")


def test_stable_words_keep_the_times_of_the_pass_that_settled_them() -> None:
    policy = LocalAgreement()
    policy.accept(heard("by grace"))
    policy.accept(heard("by grace"))
    commitment = policy.accept(heard("and by grace alone"))
    assert [word.start_ms for word in commitment.stable] == [0, 300]


anything = st.lists(st.lists(st.sampled_from("abc"), max_size=8), max_size=12)


@st.composite
def growing_passes(draw: st.DrawFn) -> list[list[str]]:
    """As recognisers give them: more of one text each time, its last words often wrong."""
    text = draw(st.lists(st.sampled_from(["a", "b", "c", "A", "b,", "c."]), max_size=20))
    ends = sorted(draw(st.lists(st.integers(0, len(text)), min_size=1, max_size=12)))
    tails = st.lists(st.sampled_from(["a", "x", "y", "Y."]), max_size=3)
    return [text[:end] + draw(tails) for end in ends]


@given(anything)
def test_stable_words_only_grow(passes: list[list[str]]) -> None:
    policy = LocalAgreement()
    previous: tuple[HypothesisWord, ...] = ()
    for words in passes:
        stable = policy.accept(heard(" ".join(words))).stable
        assert stable[: len(previous)] == previous
        previous = stable


@given(growing_passes())
def test_words_are_settled_no_later_than_the_definition_allows(passes: list[list[str]]) -> None:
    policy = LocalAgreement()
    for words, due in zip(passes, defined(passes), strict=True):
        unstable = policy.accept(heard(" ".join(words))).unstable
        if words[: len(due)] == due:
            assert len(unstable) <= len(words) - len(due)


@given(anything, st.lists(st.sampled_from("abcd"), min_size=1, max_size=8))
def test_a_pass_that_comes_twice_is_settled_to_its_end_whatever_came_before(
    passes: list[list[str]], last: list[str]
) -> None:
    policy = LocalAgreement()
    for words in (*passes, last, last):
        commitment = policy.accept(heard(" ".join(words)))
    assert commitment.unstable == ()
