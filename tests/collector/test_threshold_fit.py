"""Proposed thresholds: what they promise holds on other pairs, and what cannot be held is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.bands import Band, Thresholds
from services.collector.calibration import IDENTITY
from services.collector.composite import Measured
from services.collector.threshold_fit import Aims, held_out, least_pairs, propose
from services.collector.verified import ExportedPair, VerifiedPair
from services.collector.verified_sample import Rules, Sample, precision, stratum_weights, wilson
from tests.collector.synthetic import rated, rising

NOW = Rules()
MANY = 4000


def sample(pairs: list[VerifiedPair], collected: list[ExportedPair] | None = None) -> Sample:
    return Sample(pairs, collected or [], IDENTITY, NOW)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("aim", [0.85, 0.95])
def test_a_proposed_threshold_holds_its_precision_on_other_pairs(seed: int, aim: float) -> None:
    share_good = rising(0.6, 15)
    proposal = propose(sample(rated(800, 10, seed, share_good)), Aims(accept=aim), Thresholds())
    assert proposal.thresholds is not None
    others = sample(rated(MANY, 10, 1000 + seed, share_good))
    found = others.figures(proposal.thresholds)[Band.ACCEPT]
    assert found.precision.share is not None
    assert found.precision.share >= aim - 0.01
    assert found.share <= 0.65


def test_accepts_up_to_sixty_percent_where_precision_allows_more() -> None:
    pairs = rated(1000, 10, 1, lambda _: 0.99)
    proposal = propose(sample(pairs), Aims(), Thresholds())
    assert proposal.thresholds is not None
    share = sample(pairs).figures(proposal.thresholds)[Band.ACCEPT].share
    assert 0.55 < share <= 0.60
    assert proposal.notes == ()


def test_precision_wins_over_the_share_and_says_so() -> None:
    pairs = rated(2000, 10, 1, rising(0.8, 25))
    proposal = propose(sample(pairs), Aims(), Thresholds())
    assert proposal.thresholds is not None
    figures = sample(pairs).figures(proposal.thresholds)[Band.ACCEPT]
    assert figures.share < 0.40
    assert figures.precision.low >= 0.95
    assert any("precision wins" in note for note in proposal.notes)


def test_the_bands_below_hold_their_own_aims() -> None:
    pairs = rated(4000, 10, 1, rising(0.6, 15))
    proposal = propose(sample(pairs), Aims(0.95, 0.8, 0.3), Thresholds())
    assert proposal.thresholds is not None
    figures = sample(pairs).figures(proposal.thresholds)
    assert figures[Band.MODERATE].precision.low >= 0.8
    review = figures[Band.REVIEW].precision.share
    assert review is not None
    assert review >= 0.3
    assert proposal.notes == ()


def test_no_threshold_is_below_what_was_verified() -> None:
    pairs = [
        pair for pair in rated(1000, 10, 1, lambda _: 1.0) if (NOW.score(pair.pair) or 0) > 0.6
    ]
    proposal = propose(sample(pairs), Aims(), Thresholds())
    assert proposal.thresholds is not None
    assert proposal.thresholds.moderate == 0.6
    assert proposal.thresholds.review == 0.5


@pytest.mark.parametrize(
    "pairs",
    [
        rated(1000, 10, 1, lambda _: 0.0),
        rated(1000, 10, 1, lambda _: 0.8),
        rated(3, 3, 1, lambda _: 1.0),
        rated(least_pairs(0.95) - 1, 3, 1, lambda _: 1.0),
        [],
    ],
    ids=["all bad", "no signal tells", "three", "one too few", "none"],
)
def test_proposes_nothing_that_is_not_shown(pairs: list[VerifiedPair]) -> None:
    proposal = propose(sample(pairs), Aims(), Thresholds())
    assert proposal.thresholds is None
    (note,) = proposal.notes
    assert "no threshold is shown to hold 95% precision" in note
    assert "73 verified pairs at least" in note


def test_as_few_pairs_as_it_says_are_enough() -> None:
    all_good = rated(least_pairs(0.95), 3, 1, lambda _: 1.0)
    assert propose(sample(all_good), Aims(), Thresholds()).thresholds is not None
    assert wilson(least_pairs(0.95), least_pairs(0.95))[0] >= 0.95


def test_what_a_rule_caps_is_in_no_accepted_share() -> None:
    pairs = [
        replace(pair, pair=replace(pair.pair, caps=("number",)))
        for pair in rated(200, 5, 1, lambda _: 1.0)
    ]
    accepted = sample(pairs).figures(Thresholds(0.0, 0.0, 0.0))
    assert accepted[Band.ACCEPT].share == 0.0
    assert accepted[Band.MODERATE].share == 1.0


def test_the_sample_puts_pairs_in_the_bands_of_the_rules() -> None:
    pairs = rated(500, 5, 1, lambda _: 1.0)
    pairs += [
        replace(pair, pair=replace(pair.pair, measured=Measured(stt_confidence=0.9)))
        for pair in rated(50, 5, 2, lambda _: 1.0)
    ]
    figures = sample(pairs).figures(NOW.thresholds)
    for band in Band:
        share = sum(NOW.band(pair.pair) is band for pair in pairs) / len(pairs)
        assert figures[band].share == pytest.approx(share)


def test_collected_pairs_undo_that_the_doubtful_ones_are_looked_at_first() -> None:
    everything = rated(MANY, 10, 1, rising(0.6, 15))
    looked_at = [
        pair
        for index, pair in enumerate(everything)
        if NOW.band(pair.pair) is not Band.ACCEPT or index % 10 == 0
    ]
    collected = [pair.pair for pair in everything]
    thresholds = Thresholds(0.75, 0.6, 0.5)
    truth = sample(everything).figures(thresholds)[Band.ACCEPT]
    weighted = sample(looked_at, collected).figures(thresholds)[Band.ACCEPT]
    naive = sample(looked_at).figures(thresholds)[Band.ACCEPT]
    assert weighted.share == truth.share
    assert truth.precision.share is not None
    assert weighted.precision.share == pytest.approx(truth.precision.share, abs=0.02)
    assert naive.share < truth.share - 0.1
    assert weighted.precision.low < truth.precision.share < weighted.precision.high


def test_weights_add_up_to_what_was_collected() -> None:
    everything = rated(500, 5, 1, lambda _: 1.0)
    verified = everything[::7]
    weights = stratum_weights(verified, [pair.pair for pair in everything], NOW)
    seen = {NOW.band(pair.pair) for pair in verified}
    assert weights.sum() == pytest.approx(sum(NOW.band(pair.pair) in seen for pair in everything))


def test_weights_widen_the_interval() -> None:
    is_good = np.array([True] * 90 + [False] * 10)
    even = precision(is_good, np.ones(100))
    uneven = precision(is_good, np.array([10.0, 0.1] * 50))
    assert even.share == pytest.approx(0.9)
    assert uneven.high - uneven.low > even.high - even.low


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_share(good: int, bad: int) -> None:
    low, high = wilson(good, good + bad)
    assert 0.0 <= low <= high <= 1.0
    if good + bad:
        assert low - 1e-12 <= good / (good + bad) <= high + 1e-12


def test_an_interval_by_the_book() -> None:
    # Newcombe 1998, table I: 81 of 263, Wilson's score method.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_what_is_held_out_is_near_the_truth_and_the_same_each_time() -> None:
    pairs = rated(2000, 10, 1, rising(0.6, 15))
    found = held_out(pairs, [], Aims(), NOW, seed=3)
    assert found == held_out(pairs, [], Aims(), NOW, seed=3)
    assert found.share is not None
    assert found.share >= 0.93


def test_one_session_can_hold_nothing_out() -> None:
    assert held_out(rated(500, 1, 1, rising(0.6, 15)), [], Aims(), NOW).pair_count == 0
