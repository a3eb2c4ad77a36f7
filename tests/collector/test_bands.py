"""The bands: where they begin, and a ceiling for what was not measured and for what a rule caps."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.bands import BANDS, Band, Thresholds, band_of
from services.collector.caps import CAPS
from services.collector.composite import Measured, composite

UNIT = st.floats(0, 1)
NAMES = [field.name for field in fields(Measured)]
MEASURED = st.builds(Measured, **{name: st.none() | UNIT for name in NAMES})
THRESHOLDS = st.lists(UNIT, min_size=3, max_size=3).map(
    lambda values: Thresholds(*sorted(values, reverse=True))
)
SOME_CAPS = st.lists(st.sampled_from(CAPS), unique=True)


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


@pytest.mark.parametrize("cap", CAPS)
def test_a_perfect_pair_that_is_capped_is_moderate(cap: str) -> None:
    assert band_of(1.0, Measured(1.0, 1.0, 1.0), caps=(cap,)) is Band.MODERATE


def test_a_cap_lifts_nothing() -> None:
    assert band_of(0.6, Measured(0.6, 0.6, 0.6), caps=("number",)) is Band.REVIEW


@given(MEASURED, st.sampled_from(NAMES), UNIT, THRESHOLDS, SOME_CAPS)
def test_a_better_signal_never_gives_a_worse_band(
    measured: Measured, name: str, value: float, thresholds: Thresholds, caps: list[str]
) -> None:
    before = getattr(measured, name)
    if before is None:
        return
    low = replace(measured, **{name: min(before, value)})
    high = replace(measured, **{name: max(before, value)})
    low_score, high_score = composite(low), composite(high)
    assert low_score is not None
    assert high_score is not None
    worse = band_of(low_score, low, thresholds, caps)
    better = band_of(high_score, high, thresholds, caps)
    assert BANDS.index(better) <= BANDS.index(worse)


@given(MEASURED, THRESHOLDS, SOME_CAPS)
def test_what_speaks_against_a_pair_never_lifts_it(
    measured: Measured, thresholds: Thresholds, caps: list[str]
) -> None:
    score = composite(measured)
    if score is not None:
        capped = band_of(score, measured, thresholds, caps)
        assert BANDS.index(capped) >= BANDS.index(band_of(score, measured, thresholds))


@given(MEASURED)
def test_never_accepts_with_a_missing_signal(measured: Measured) -> None:
    score = composite(measured)
    needed = (measured.translation_qe, measured.stt_confidence, measured.marian_agreement)
    if score is not None and None in needed:
        assert band_of(score, measured, Thresholds(0.0, 0.0, 0.0)) is not Band.ACCEPT


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -0.1, 1.1])
def test_a_band_refuses_what_is_no_score(score: float) -> None:
    with pytest.raises(ValueError, match="score"):
        band_of(score, Measured())


def test_thresholds_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="thresholds"):
        Thresholds(accept=0.6, moderate=0.7)
