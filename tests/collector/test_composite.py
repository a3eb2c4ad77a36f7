"""The composite score: a weighted mean of what is there, and a ceiling for what is not."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.bands import BANDS, Band, Thresholds, band_of
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


@pytest.mark.parametrize(
    ("score", "band"),
    [
        (1.0, Band.ACCEPT),
        (0.85, Band.ACCEPT),
        (0.849999, Band.MODERATE),
        (0.70, Band.MODERATE),
        (0.699999, Band.REVIEW),
        (0.50, Band.REVIEW),
        (0.499999, Band.REJECT),
        (0.0, Band.REJECT),
    ],
)
def test_a_band_begins_at_its_threshold(score: float, band: Band) -> None:
    everything = Measured(translation_qe=score, stt_confidence=score, marian_agreement=score)
    assert composite(everything) == score
    assert band_of(score, everything) is band


@pytest.mark.parametrize("missing", ["translation_qe", "stt_confidence", "marian_agreement"])
def test_a_perfect_pair_that_misses_a_signal_is_moderate(missing: str) -> None:
    perfect = Measured(1.0, 1.0, 1.0, 1.0)
    assert band_of(1.0, perfect) is Band.ACCEPT
    assert band_of(1.0, replace(perfect, **{missing: None})) is Band.MODERATE


def test_without_any_word_on_the_translation_review_is_the_best() -> None:
    assert band_of(1.0, Measured(stt_confidence=1.0, marian_agreement=1.0)) is Band.REVIEW


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
    assert BANDS.index(band_of(low_score, low)) >= BANDS.index(band_of(high_score, high))


@given(MEASURED)
def test_never_accepts_with_a_missing_signal(measured: Measured) -> None:
    score = composite(measured)
    needed = (measured.translation_qe, measured.stt_confidence, measured.marian_agreement)
    if score is not None and None in needed:
        assert band_of(score, measured) is not Band.ACCEPT


@given(MEASURED, st.sampled_from(NAMES), st.sampled_from([math.nan, math.inf, -0.01, 1.01]))
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


@pytest.mark.parametrize("score", [math.nan, -0.1, 1.1])
def test_a_band_refuses_what_is_no_score(score: float) -> None:
    with pytest.raises(ValueError, match="score"):
        band_of(score, Measured())


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="thresholds"):
        Thresholds(accept=0.6, moderate=0.7)
