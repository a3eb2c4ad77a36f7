"""The auto-accept rate: told once when it leaves 40 to 60 %, and again after it was back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.collector.acceptance import MIN_PAIRS, WINDOW_PAIRS, AcceptedShare
from services.collector.bands import Band
from services.collector.pair import ScoredPair
from tests.collector.pairs import GOOD_PAIR

ACCEPTED = ScoredPair(GOOD_PAIR, Band.ACCEPT, 0.9, 0.9, 0.9, 0.9)
MODERATE = replace(ACCEPTED, band=Band.MODERATE)


def feed(share: AcceptedShare, accepted: int, others: int) -> int:
    """Takes pairs in, evenly mixed; how often the share left what is wanted."""
    total = accepted + others
    mixed = [
        ACCEPTED if (at + 1) * accepted // total > at * accepted // total else MODERATE
        for at in range(total)
    ]
    return sum(share.add(pair) for pair in mixed)


def test_says_nothing_before_enough_pairs() -> None:
    share = AcceptedShare()
    assert share.ratio is None
    assert feed(share, 0, MIN_PAIRS - 1) == 0
    assert share.ratio == 0.0
    assert share.advice == ""
    assert share.add(MODERATE)
    assert "0% of the last 200 pairs" in share.advice


@pytest.mark.parametrize("accepted", [42, 50, 58])
def test_what_is_wanted_is_no_news(accepted: int) -> None:
    share = AcceptedShare()
    assert feed(share, accepted * 5, (100 - accepted) * 5) == 0
    assert share.ratio == pytest.approx(accepted / 100)
    assert share.advice == ""


@pytest.mark.parametrize("accepted", [20, 80])
def test_leaving_is_told_once(accepted: int) -> None:
    share = AcceptedShare()
    assert feed(share, 250, 250) == 0
    assert feed(share, accepted * 10, (100 - accepted) * 10) == 1
    assert "./glossa queue calibrate" in share.advice


def test_back_inside_it_is_quiet_and_the_next_leaving_is_told_again() -> None:
    share = AcceptedShare()
    assert feed(share, 100, 400) == 1
    assert feed(share, 250, 250) == 0
    assert share.advice == ""
    assert feed(share, 450, 50) == 1


def test_only_the_newest_pairs_count() -> None:
    share = AcceptedShare()
    feed(share, 0, WINDOW_PAIRS)
    feed(share, WINDOW_PAIRS, 0)
    assert share.pair_count == WINDOW_PAIRS
    assert share.ratio == 1.0


@pytest.mark.parametrize("missing", ["stt_confidence", "translation_qe", "marian_agreement"])
def test_a_pair_that_misses_a_signal_says_nothing_of_the_threshold(missing: str) -> None:
    share = AcceptedShare()
    for _ in range(WINDOW_PAIRS):
        assert not share.add(replace(MODERATE, **{missing: None}))
    assert share.ratio is None
