"""The composite score: a weighted mean of what is there."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.composite import Measured, composite, stt_confidence

UNIT = st.floats(0, 1)
NAMES = [field.name for field in fields(Measured)]
MEASURED = st.builds(Measured, **{name: st.none() | UNIT for name in NAMES})


def test_weighs_quality_confidence_and_agreement() -> None:
    measured = Measured(translation_qe=0.9, stt_confidence=0.8, marian_agreement=0.6)
    assert composite(measured) == pytest.approx(0.45 * 0.9 + 0.35 * 0.8 + 0.20 * 0.6)


def test_shares_the_weights_among_the_signals_that_are_there() -> None:
    measured = Measured(translation_qe=0.9, stt_confidence=0.8)
    assert composite(measured) == pytest.approx((0.45 * 0.9 + 0.35 * 0.8) / 0.80, abs=1e-6)


def test_rules_stand_in_only_for_a_missing_quality_estimation() -> None:
    by_rules = Measured(heuristic_quality=0.9, stt_confidence=0.8)
    learned = Measured(translation_qe=0.9, stt_confidence=0.8)
    assert composite(by_rules) == composite(learned)
    assert composite(replace(learned, heuristic_quality=0.1)) == composite(learned)


def test_nothing_measured_gives_no_score() -> None:
    assert composite(Measured()) is None


@given(MEASURED)
def test_is_bounded(measured: Measured) -> None:
    score = composite(measured)
    assert score is None or 0.0 <= score <= 1.0


@given(MEASURED, st.sampled_from(NAMES), UNIT)
def test_never_falls_when_a_signal_rises(measured: Measured, name: str, value: float) -> None:
    before = getattr(measured, name)
    if before is None:
        return
    low = replace(measured, **{name: min(before, value)})
    high = replace(measured, **{name: max(before, value)})
    low_score, high_score = composite(low), composite(high)
    assert low_score is not None
    assert high_score is not None
    assert low_score <= high_score


@given(MEASURED, st.sampled_from(NAMES))
def test_a_missing_signal_counts_neither_as_zero_nor_as_one(measured: Measured, name: str) -> None:
    without = composite(replace(measured, **{name: None}))
    as_zero = composite(replace(measured, **{name: 0.0}))
    as_one = composite(replace(measured, **{name: 1.0}))
    if without is None:
        assert (as_zero, as_one) == (0.0, 1.0)  # it alone decides
        return
    if name == "translation_qe" and measured.heuristic_quality is not None:
        return  # the rules' stand-in is there
    assert as_zero is not None
    assert as_one is not None
    assert as_zero <= without <= as_one
    is_counted = name != "heuristic_quality" or measured.translation_qe is None
    if is_counted and 0.01 <= without <= 0.99:
        assert as_zero < without < as_one


@given(MEASURED)
def test_lies_between_the_terms_that_are_there(measured: Measured) -> None:
    terms = (measured.translation_quality, measured.stt_confidence, measured.marian_agreement)
    there = [term for term in terms if term is not None]
    score = composite(measured)
    if score is None:
        assert not there
    else:
        assert min(there) - 1e-6 <= score <= max(there) + 1e-6


@given(
    MEASURED, st.sampled_from(NAMES), st.sampled_from([math.nan, math.inf, -math.inf, -0.01, 1.01])
)
def test_refuses_what_is_no_signal(measured: Measured, name: str, value: float) -> None:
    with pytest.raises(ValueError, match="signal"):
        composite(replace(measured, **{name: value}))


@given(st.floats(-1e6, 0), st.floats(-1e6, 0))
def test_confidence_is_bounded_and_never_falls_with_the_log_probability(
    first: float, second: float
) -> None:
    low, high = sorted((first, second))
    assert 0.0 <= stt_confidence(low) <= stt_confidence(high) <= 1.0


def test_confidence_is_one_half_at_a_log_probability_of_minus_three_tenths() -> None:
    assert stt_confidence(-0.3) == pytest.approx(0.5)
    assert stt_confidence(0.0) == pytest.approx(1 / (1 + math.exp(-3)))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_confidence_refuses_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="avg_logprob"):
        stt_confidence(value)
