"""Weights: repeats count less, new words count more, and nothing counts without bound."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.diversity import MAX_WEIGHT, Vocabulary, lot, weight

WORDS = st.sampled_from(["grace", "mercy", "peace", "truth", "faith", "hope", "the", "and", "of"])
SENTENCES = st.lists(WORDS, max_size=8).map(" ".join)
COLLECTIONS = st.lists(SENTENCES, max_size=12)


def test_a_single_sentence_of_common_words_counts_one() -> None:
    vocabulary = Vocabulary(["the grace"] * 4)
    assert weight(1, vocabulary.novelty("the grace")) == 1.0


def test_four_copies_count_as_much_as_two_sentences() -> None:
    assert 4 * weight(4, 0.0) == pytest.approx(2.0)


def test_words_that_are_nowhere_else_double_the_weight() -> None:
    vocabulary = Vocabulary(["the grace", "the mercy", "perichoresis"])
    assert weight(1, vocabulary.novelty("perichoresis")) == MAX_WEIGHT


def test_novelty_is_the_mean_rarity_of_the_words() -> None:
    vocabulary = Vocabulary(["the grace", "the mercy", "the peace", "of truth"])
    assert vocabulary.novelty("the grace") == pytest.approx((1 - math.log(3) / math.log(4) + 1) / 2)
    assert vocabulary.novelty("...") == 0.0


@given(COLLECTIONS, SENTENCES, st.integers(1, 50))
def test_one_more_copy_never_raises_a_weight(others: list[str], sentence: str, copies: int) -> None:
    before = Vocabulary([*others, *[sentence] * copies]).novelty(sentence)
    after = Vocabulary([*others, *[sentence] * (copies + 1)]).novelty(sentence)
    assert weight(copies + 1, after) <= weight(copies, before)


@given(COLLECTIONS, SENTENCES, st.integers(1, 50))
def test_a_new_word_never_lowers_a_weight(others: list[str], sentence: str, copies: int) -> None:
    longer = f"{sentence} perichoresis"
    before = Vocabulary([*others, sentence]).novelty(sentence)
    after = Vocabulary([*others, longer]).novelty(longer)
    assert weight(copies, after) >= weight(copies, before)


@given(COLLECTIONS, SENTENCES, st.integers(1, 10_000))
def test_a_weight_lies_above_zero_and_never_above_the_greatest(
    collection: list[str], sentence: str, copies: int
) -> None:
    novelty = Vocabulary(collection).novelty(sentence)
    assert 0.0 <= novelty <= 1.0
    assert 0.0 < weight(copies, novelty) <= MAX_WEIGHT


@pytest.mark.parametrize(("copies", "novelty"), [(0, 0.5), (1, 1.1), (1, -0.1), (1, math.nan)])
def test_what_is_no_count_or_no_novelty_has_no_weight(copies: int, novelty: float) -> None:
    with pytest.raises(ValueError, match="no weight"):
        weight(copies, novelty)


def test_lots_fall_as_the_chances_are() -> None:
    """Of two, the one with three times the chance wins three times in four."""
    wins = sum(lot(seed, "rare", 0.9) > lot(seed, "common", 0.3) for seed in range(4000))
    assert wins / 4000 == pytest.approx(0.75, abs=0.03)


def test_a_lot_follows_from_seed_and_name_alone() -> None:
    assert lot(1, "a") == lot(1, "a") < 0.0
    assert len({lot(1, "a"), lot(2, "a"), lot(1, "b")}) == 3
    with pytest.raises(ValueError, match="chance"):
        lot(1, "a", 0.0)
