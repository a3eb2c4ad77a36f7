"""Fitting a recogniser's confidence: a known map is found again, and nothing is made of nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.calibration_fit import (
    MIN_PAIRS,
    composite_reliability,
    fit_map,
    fit_recognisers,
    folds,
    reliability,
    with_maps,
)
from services.collector.verified import VerifiedPair
from services.collector.verified_sample import Rules
from tests.collector.synthetic import sources


def squared(confidence: float) -> float:
    return confidence**2


def test_finds_the_map_of_an_overconfident_recogniser() -> None:
    (fit,) = fit_recognisers(sources(5000, 20, 1, squared))
    assert fit.map is not None
    assert fit.before is not None
    assert fit.after is not None
    for confidence in np.linspace(0.4, 0.98, 30):
        assert fit.map(confidence) == pytest.approx(squared(confidence), abs=0.06)
    assert fit.before.ece > 0.1
    assert fit.after.ece < 0.04
    assert fit.after.brier < fit.before.brier


def test_finds_the_map_of_one_that_is_too_modest() -> None:
    (fit,) = fit_recognisers(sources(5000, 20, 1, lambda confidence: confidence**0.3))
    assert fit.map is not None
    assert fit.map(0.6) == pytest.approx(0.6**0.3, abs=0.06)


def test_a_recogniser_that_is_right_as_it_is_stays_nearly_so() -> None:
    (fit,) = fit_recognisers(sources(5000, 20, 1, lambda confidence: confidence))
    if fit.map is not None:
        assert fit.map(0.8) == pytest.approx(0.8, abs=0.06)


def test_each_recogniser_has_a_map_of_its_own() -> None:
    bold = sources(1000, 10, 1, squared)
    modest = [
        replace(pair, pair=replace(pair.pair, stt_model="other/stt"))
        for pair in sources(1000, 10, 2, lambda confidence: confidence**0.3)
    ]
    calibration = with_maps(fit_recognisers([*bold, *modest]))
    assert set(calibration.stt) == {"rule/stt", "other/stt"}
    assert calibration.confidence("rule/stt", 0.6) < 0.6 < calibration.confidence("other/stt", 0.6)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        (sources(3, 3, 1, squared), "3 verified pairs"),
        (sources(MIN_PAIRS - 1, 5, 1, squared), "49 verified pairs"),
        (sources(300, 5, 1, lambda _: 1.0), "0 sources were wrong"),
        (sources(300, 5, 1, lambda _: 0.0), "0 sources were right"),
        (sources(300, 1, 1, squared), "one session"),
        (sources(60, 5, 1, lambda confidence: confidence), "does not help"),
    ],
)
def test_says_why_there_is_no_map(pairs: list[VerifiedPair], reason: str) -> None:
    (fit,) = fit_recognisers(pairs)
    assert fit.map is None
    assert reason in fit.reason
    assert with_maps([fit]).stt == {}


def test_pairs_that_say_nothing_of_the_source_are_passed_over() -> None:
    silent = [replace(pair, is_source_right=None) for pair in sources(100, 4, 1, squared)]
    assert fit_recognisers(silent) == ()


def test_the_same_seed_gives_the_same_fit() -> None:
    pairs = sources(500, 7, 3, squared)
    assert fit_recognisers(pairs, seed=5) == fit_recognisers(pairs, seed=5)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=2, max_size=40))
def test_a_fitted_map_is_monotone_and_never_certain(rows: list[tuple[float, bool]]) -> None:
    a_map = fit_map(
        np.array([confidence for confidence, _ in rows]), np.array([right for _, right in rows])
    )
    if a_map is None:
        return
    values = [a_map(confidence) for confidence in np.linspace(0, 1, 50)]
    assert values == sorted(values)
    assert all(0.0 < value < 1.0 for value in values)


def test_no_session_is_on_both_sides() -> None:
    pairs = sources(300, 7, 1, squared)
    sessions = [pair.pair.session_id for pair in pairs]
    tested = []
    for train, test in folds(sessions, np.array([pair.is_good for pair in pairs]), seed=1):
        assert not {sessions[index] for index in train} & {sessions[index] for index in test}
        tested += list(test)
    assert sorted(tested) == list(range(300))


def test_reliability_of_predictions_that_come_true_is_near_zero() -> None:
    random = np.random.default_rng(1)
    predicted = random.random(20_000)
    true = reliability(predicted, random.random(20_000) < predicted)
    false = reliability(predicted, random.random(20_000) < predicted / 2)
    assert true.ece < 0.02
    assert false.ece == pytest.approx(0.25, abs=0.02)
    assert sum(group.pair_count for group in true.bins) == 20_000


def test_reliability_by_hand() -> None:
    found = reliability(np.array([0.9, 0.1]), np.array([True, True]))
    assert found.brier == pytest.approx((0.01 + 0.81) / 2)
    assert found.ece == pytest.approx((0.1 + 0.9) / 2)


def test_maps_make_the_composite_more_reliable_on_sessions_left_out() -> None:
    before, after = composite_reliability(sources(2000, 10, 1, squared), Rules())
    assert before is not None
    assert after is not None
    assert after.ece < before.ece / 2


def test_one_session_has_nothing_to_be_tried_on() -> None:
    before, after = composite_reliability(sources(100, 1, 1, squared), Rules())
    assert before is not None
    assert after is None
