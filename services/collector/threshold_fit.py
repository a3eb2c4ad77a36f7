"""Proposes where the bands begin, from verified pairs. Pure; needs the extra `datasets`."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from services.collector.acceptance import LEAST_WANTED, MOST_WANTED
from services.collector.bands import Band, Thresholds
from services.collector.calibration_fit import fit_recognisers, folds, with_maps
from services.collector.verified import ExportedPair, VerifiedPair
from services.collector.verified_sample import (
    THRESHOLDS,
    Flags,
    Precision,
    Rules,
    Sample,
    Z,
    precision,
    stratum_weights,
)

_MIN_REVIEW_PAIRS = 10  # of fewer a share says nothing


@dataclass(frozen=True, slots=True)
class Aims:
    """The share of good pairs that each band is to have, (0, 1).

    What is accepted is trained on unseen. What is moderate is trained on with less weight, or after
    review. Below `review`, putting pairs right is more work than they are worth.

    Raises:
        ValueError: an aim is NaN or out of range.
    """

    accept: float = 0.95
    moderate: float = 0.80
    review: float = 0.50

    def __post_init__(self) -> None:
        for aim in (self.accept, self.moderate, self.review):
            if not 0.0 < aim < 1.0:
                raise ValueError(f"a precision must lie between 0 and 1, not be {aim}")


@dataclass(frozen=True, slots=True)
class Proposal:
    """Where the bands should begin.

    Args:
        thresholds: None when nothing is proposed.
        notes: sentences on what could not be held, and why.
    """

    thresholds: Thresholds | None
    notes: tuple[str, ...]


def least_pairs(precision: float) -> int:
    """How many pairs, all of them good, show this precision: the Wilson bound solved for count."""
    return math.ceil(Z**2 * precision / (1 - precision))


def propose(sample: Sample, aims: Aims, now: Thresholds) -> Proposal:
    """The lowest thresholds that hold the aims, by the lower end of each interval.

    Accepted are as many as the aim allows, up to 60 % of all pairs. Where the aim and the wanted
    share cannot both be held, the aim wins. The bands below have what is left; where none of their
    thresholds is shown to hold the aim, that of now stays. Of `review` the estimate itself counts:
    nothing of it is trained on unseen, so doubt is no reason to throw pairs away.
    """
    accept, notes = _propose_accept(sample, aims.accept, now)
    if accept is None:
        return Proposal(None, tuple(notes))

    # From the last one that takes in every verified pair: further down nothing is known.
    known = THRESHOLDS[bisect_right(THRESHOLDS, sample.lowest_score) - 1 :]

    def is_moderate(low: float) -> bool:
        found = sample.figures(Thresholds(accept, low, 0.0))[Band.MODERATE].precision
        return found.low >= aims.moderate

    moderate = next((low for low in known if low <= accept and is_moderate(low)), None)
    if moderate is None:
        moderate = min(now.moderate, accept)
        notes.append(_not_shown(Band.MODERATE, aims.moderate, moderate))

    def is_worth_review(low: float) -> bool:
        found = sample.figures(Thresholds(accept, moderate, low))[Band.REVIEW].precision
        if found.share is None or found.pair_count < _MIN_REVIEW_PAIRS:
            return False
        return found.share >= aims.review

    review = next((low for low in known if low <= moderate and is_worth_review(low)), None)
    if review is None:
        review = min(now.review, moderate)
        rest = sample.figures(Thresholds(accept, moderate, 0.0))[Band.REVIEW].precision
        if rest.pair_count >= _MIN_REVIEW_PAIRS:
            notes.append(_not_shown(Band.REVIEW, aims.review, review))
    return Proposal(Thresholds(accept, moderate, review), tuple(notes))


def _propose_accept(sample: Sample, aim: float, now: Thresholds) -> tuple[float | None, list[str]]:
    shown = {
        threshold: figures.share
        for threshold, figures in sample.accepted()
        if figures.precision.low >= aim
    }
    if not shown:
        best = sample.figures(now)[Band.ACCEPT].precision
        found = (
            "no verified pair is among those that the thresholds of now would accept"
            if best.share is None
            else f"of {best.pair_count} verified pairs that those of now would accept "
            f"{best.share:.1%} are good "
            f"({best.low:.1%} to {best.high:.1%})"
        )
        return None, [
            f"no threshold is shown to hold {aim:.0%} precision, so none is proposed: {found}. "
            f"It takes {least_pairs(aim)} verified pairs at least, all of them good; verify more, "
            "or state another --precision"
        ]
    fitting = [low for low, share in shown.items() if share <= MOST_WANTED]
    accept = min(fitting) if fitting else max(shown)
    share = shown[accept]
    notes = []
    if share < LEAST_WANTED:
        notes.append(
            f"{aim:.0%} precision and {LEAST_WANTED:.0%} to {MOST_WANTED:.0%} accepted cannot both "
            f"be held: precision wins, {share:.0%} would be accepted"
        )
    elif share > MOST_WANTED:
        notes.append(
            f"{share:.0%} would be accepted: above {accept:g} there are too few verified pairs to "
            f"show {aim:.0%} precision for a smaller share"
        )
    return accept, notes


def _not_shown(band: Band, aim: float, threshold: float) -> str:
    return (
        f"no threshold is shown to hold {aim:.0%} good pairs in {band}: it stays at {threshold:g}"
    )


def held_out(
    verified: Sequence[VerifiedPair],
    collected: Sequence[ExportedPair],
    aims: Aims,
    now: Rules,
    seed: int = 0,
) -> Precision:
    """The precision of what is accepted in sessions that nothing was fitted on.

    Every part of the sessions is judged by the maps and thresholds that the others propose; a part
    for which they propose none adds nothing. With one session there is nothing to hold out.
    """
    sessions = [pair.pair.session_id for pair in verified]
    is_good: Flags = np.array([pair.is_good for pair in verified], dtype=bool)
    is_accepted = np.zeros(len(verified), dtype=bool)
    if len(set(sessions)) > 1:
        for train, test in folds(sessions, is_good, seed):
            known = [verified[index] for index in train]
            calibration = with_maps(fit_recognisers(known, seed))
            proposal = propose(Sample(known, collected, calibration, now), aims, now.thresholds)
            if proposal.thresholds is not None:
                rules = Rules(now.weights, proposal.thresholds, calibration)
                for index in test:
                    is_accepted[index] = rules.band(verified[index].pair) is Band.ACCEPT
    weights = stratum_weights(verified, collected, now)
    return precision(is_good[is_accepted], weights[is_accepted])
