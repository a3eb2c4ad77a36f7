"""What a person should look at: bounded, never less for more doubt, and never without a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.bands import Band
from services.collector.caps import CAPS
from services.collector.judging import judge
from services.collector.pair import ScoredPair
from services.collector.priority import WEIGHTS, review_priority
from tests.collector.pairs import pair, signals

UNIT = st.floats(0, 1)
SOME_CAPS = st.lists(st.sampled_from(CAPS), unique=True).map(tuple)
SCORED = st.builds(
    ScoredPair,
    pair=st.builds(lambda rules: pair(signals=signals(heuristic_quality=rules)), st.none() | UNIT),
    band=st.sampled_from(Band),
    quality_score=UNIT,
    stt_confidence=st.none() | UNIT,
    translation_qe=st.none() | UNIT,
    marian_agreement=st.none() | UNIT,
    caps=SOME_CAPS,
)
# The names of ReviewItem.reasons in collector.proto.
REASONS = {
    "low_score",
    "missing_term",
    "disagreement",
    "number",
    "negation",
    "doubtful_speech",
    "doubtful_translation",
    "not_measured",
}


def scored(**changes: object) -> ScoredPair:
    judged = judge(pair(**changes))
    assert isinstance(judged, ScoredPair)
    return judged


def rated(qe: float, agreement: float, **rules: float) -> ScoredPair:
    return scored(signals=signals(translation_qe=qe, marian_agreement=agreement, **rules))


@pytest.mark.parametrize(
    ("a_pair", "reasons"),
    [
        (rated(0.75, 0.75), ("low_score",)),
        (rated(1.0, 1.0, negation_parity=0.0), ("negation",)),
        (rated(1.0, 1.0, number_parity=0.5), ("number",)),
        (rated(0.9, 0.1), ("low_score", "disagreement")),
        (rated(0.2, 0.9, glossary_terms=0.0), ("low_score", "missing_term")),
        (scored(signals=signals(heuristic_quality=1.0)), ("not_measured",)),
        (scored(flags=("low_confidence",)), ("doubtful_speech",)),
        (scored(flags=("shed",)), ("doubtful_translation",)),
    ],
)
def test_says_why(a_pair: ScoredPair, reasons: tuple[str, ...]) -> None:
    priority = review_priority(a_pair)
    assert priority is not None
    assert set(priority.reasons) == set(reasons)


def test_nobody_needs_to_see_what_is_accepted_or_rejected() -> None:
    assert review_priority(rated(1.0, 1.0)) is None
    rejected = rated(0.0, 0.0)
    assert rejected.band is Band.REJECT
    assert review_priority(rejected) is None


def test_what_turns_a_sentence_round_comes_before_what_scores_low() -> None:
    turned = review_priority(rated(1.0, 1.0, negation_parity=0.0))
    middling = review_priority(rated(0.75, 0.75))
    assert turned is not None
    assert middling is not None
    assert turned.value > middling.value


def test_disagreement_counts_more_the_greater_it_is() -> None:
    values = [review_priority(replace(rated(0.7, at), quality_score=0.6)) for at in (0.4, 0.2, 0.0)]
    assert all(value is not None for value in values)
    assert [value.value for value in values if value] == sorted(
        value.value for value in values if value
    )
    assert len({value.value for value in values if value}) == 3


@given(SCORED)
def test_is_bounded_and_never_without_a_known_reason(a_pair: ScoredPair) -> None:
    priority = review_priority(a_pair)
    if priority is None:
        assert a_pair.band in (Band.ACCEPT, Band.REJECT)
        return
    assert 0.0 <= priority.value <= 1.0
    assert set(priority.reasons) <= REASONS
    assert len(priority.reasons) == len(set(priority.reasons))


@given(st.lists(UNIT, min_size=3, max_size=3), UNIT, SOME_CAPS)
def test_every_pair_that_is_judged_doubtful_has_a_reason(
    values: list[float], parity: float, caps: tuple[str, ...]
) -> None:
    qe, agreement, rules = values
    a_pair = rated(qe, agreement, heuristic_quality=rules, number_parity=parity)
    priority = review_priority(a_pair)
    if a_pair.band in (Band.MODERATE, Band.REVIEW):
        assert priority is not None
        assert priority.reasons


@given(SCORED, UNIT, UNIT, st.sampled_from(CAPS))
def test_never_falls_with_more_doubt(
    a_pair: ScoredPair, score: float, agreement: float, cap: str
) -> None:
    if a_pair.band not in (Band.MODERATE, Band.REVIEW):
        return
    before = review_priority(a_pair)
    assert before is not None
    low = replace(a_pair, quality_score=min(a_pair.quality_score, score))
    further = replace(a_pair, caps=(*{*a_pair.caps, cap},))
    worse = [low, further]
    if a_pair.marian_agreement is not None:
        worse.append(replace(a_pair, marian_agreement=min(a_pair.marian_agreement, agreement)))
    for doubtful in worse:
        after = review_priority(doubtful)
        assert after is not None
        assert after.value >= before.value - 1e-12


def test_every_cap_has_a_weight() -> None:
    assert set(CAPS) <= WEIGHTS.keys()
    assert all(0.0 < weight < 1.0 for weight in WEIGHTS.values())
