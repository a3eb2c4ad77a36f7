"""What is no pair: each reason at its limit, and figures that stay within their range."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.collector.filters import (
    EXCLUSION_REASONS,
    copied_share,
    exclusion,
    length_ratio,
    words,
)
from tests.collector.pairs import pair, signals

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@pytest.mark.parametrize(
    ("at_limit", "beyond", "reason"),
    [
        ({"compression_ratio": 2.4}, {"compression_ratio": 2.4001}, "compression_ratio"),
        ({"no_speech_prob": 0.6}, {"no_speech_prob": 0.6001}, "no_speech"),
        (
            {"source_text": "He is risen", "target_text": "Ha resucitado"},
            {"source_text": "He rose", "target_text": "Resucitó"},
            "too_few_words",
        ),
        (
            {"source_text": "a b c d e", "target_text": "a b c d x"},
            {"source_text": "a b c d e", "target_text": "a b c d e"},
            "copied_through",
        ),
        (
            {"source_text": "one two xy", "target_text": "un dos x"},
            {"source_text": "one two xyz", "target_text": "un dos x"},
            "length_ratio",
        ),
        (
            {"source_text": "to be a xyz", "target_text": "z" * 27},
            {"source_text": "to be a xyz", "target_text": "z" * 28},
            "length_ratio",
        ),
    ],
)
def test_excludes_beyond_the_limit_and_not_at_it(
    at_limit: dict[str, object], beyond: dict[str, object], reason: str
) -> None:
    assert exclusion(pair(**at_limit)) is None
    assert exclusion(pair(**beyond)) == reason


@given(TEXT, TEXT)
def test_every_text_is_kept_or_excluded_for_a_known_reason(source: str, target: str) -> None:
    reason = exclusion(pair(source_text=source, target_text=target))
    assert reason is None or reason in EXCLUSION_REASONS


@given(TEXT, TEXT)
def test_the_share_copied_is_bounded(source: str, target: str) -> None:
    assert 0.0 <= copied_share(source, target) <= 1.0
    assert copied_share(source, source) == (1.0 if words(source) else 0.0)


@given(TEXT, TEXT)
def test_the_length_ratio_is_never_negative(source: str, target: str) -> None:
    assert length_ratio(source, target) >= 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1])
@pytest.mark.parametrize("name", ["no_speech_prob", "compression_ratio"])
def test_refuses_a_figure_that_cannot_be_right(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="must"):
        exclusion(pair(**{name: value}))


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1, 1.1])
def test_refuses_a_signal_that_cannot_be_right(value: float) -> None:
    with pytest.raises(ValueError, match="signal"):
        exclusion(pair(signals=signals(number_parity=value)))
