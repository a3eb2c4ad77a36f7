"""Sentences that are the same, nearly the same, and not the same."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.duplicates import (
    NEAR_DUPLICATE_SIMILARITY,
    Sentences,
    clusters,
    normalised,
    similarity,
)

TEXTS = st.text(alphabet="abcde é.,", max_size=40)
SERMON = [
    "We walk by faith and not by sight, said the apostle to the Corinthians",
    "we walk by faith, and not by sight said the apostle to the Corinthians!",
    "And we walk by faith and not by sight, said the apostle to the Corinthians",
    "The harvest is plentiful, but the labourers are few",
    "The harvest is plentiful but the laborers are few",
    "Turn with me to the letter of James",
]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Let us pray.", "let us  PRAY"),
        ("¡Él está aquí!", "él está aquí"),
        ("“Grace,” he said", '"Grace" he said'),
        ("cafe\u0301", "café"),
        ("ﬁre", "fire"),
    ],
)
def test_case_punctuation_spaces_and_unicode_forms_make_no_other_sentence(
    one: str, other: str
) -> None:
    assert normalised(one) == normalised(other)
    assert clusters([one, other]) == [0, 0]


def test_an_accent_makes_another_word() -> None:
    assert normalised("esta") != normalised("está")


def test_near_duplicates_share_a_cluster_and_others_do_not() -> None:
    assert clusters(SERMON) == [0, 0, 0, 1, 1, 2]


def test_a_short_sentence_that_differs_by_a_negation_is_another_one() -> None:
    assert clusters(["God is slow to anger", "God is not slow to anger"]) == [0, 1]


def test_a_chain_of_near_duplicates_is_one_cluster() -> None:
    words = [f"word{number}" for number in range(40)]
    chain = [" ".join(words[start : start + 30]) for start in range(0, 9, 2)]
    assert similarity(chain[0], chain[1]) >= NEAR_DUPLICATE_SIMILARITY
    assert similarity(chain[0], chain[-1]) < NEAR_DUPLICATE_SIMILARITY
    assert set(clusters(chain)) == {0}


def test_sentences_are_found_again() -> None:
    seen = Sentences()
    for text in SERMON:
        seen.add(text)
    assert seen.like("We walk by faith and not by sight said the apostle to the Corinthians") == [
        0,
        1,
    ]
    assert seen.like("Nothing of the kind was ever said in here") == []


def test_an_index_finds_what_comparing_every_pair_finds() -> None:
    random_ = random.Random(7)
    words = [
        "grace",
        "mercy",
        "peace",
        "truth",
        "faith",
        "hope",
        "love",
        "joy",
        "light",
        "bread",
        "water",
        "spirit",
    ]
    texts = [" ".join(random_.choices(words, k=12)) for _ in range(60)]
    texts += [text.replace("grace", "grave", 1) for text in texts]
    found = clusters(texts)
    for first, one in enumerate(texts):
        for second, other in enumerate(texts[:first]):
            if similarity(one, other) >= 0.9:
                assert found[first] == found[second]


@given(st.lists(TEXTS, max_size=12), st.randoms(use_true_random=False))
def test_who_shares_a_cluster_does_not_depend_on_the_order(
    texts: list[str], random_: random.Random
) -> None:
    def partition(order: list[int]) -> set[frozenset[int]]:
        groups: dict[int, set[int]] = {}
        for index, cluster in zip(order, clusters([texts[i] for i in order]), strict=True):
            groups.setdefault(cluster, set()).add(index)
        return {frozenset(group) for group in groups.values()}

    order = list(range(len(texts)))
    shuffled = random_.sample(order, len(order))
    assert partition(order) == partition(shuffled)


@given(TEXTS, TEXTS)
def test_similarity_is_symmetric_bounded_and_one_for_the_same_text(one: str, other: str) -> None:
    assert similarity(one, other) == similarity(other, one)
    assert 0.0 <= similarity(one, other) <= 1.0
    assert similarity(one, one.upper()) == 1.0
