"""Fits a recogniser's confidence to how often it was right. Pure; needs the extra `datasets`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from services.collector.calibration import IDENTITY, Calibration, ConfidenceMap
from services.collector.verified import VerifiedPair
from services.collector.verified_sample import Flags, Floats, Rules

# Of fewer pairs, or of fewer of either kind, an isotonic fit is mostly noise. It wants about a
# thousand to be at its best (Niculescu-Mizil and Caruana 2005), so what it fits is adopted only
# where it helps on sessions that it has not seen.
MIN_PAIRS = 50
MIN_OF_EITHER_KIND = 5
FOLDS = 5
_BINS = 10
_SMALLEST_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about the same size: their mean, the share that was right, how many."""

    predicted: float
    right: float
    pair_count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """How far predicted probabilities can be taken at their word; both figures are best at 0.

    Args:
        ece: expected calibration error over ten bins of equally many pairs, [0, 1].
        brier: mean squared error of the predictions, [0, 1].
    """

    ece: float
    brier: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True, slots=True)
class RecogniserFit:
    """What verified pairs say of one recogniser.

    Args:
        before: of its confidence as it is; None without pairs.
        after: of the fitted one, each pair by a map that no pair of its session went into.
        map: None when there is none to adopt.
        reason: why there is none; empty when there is one.
    """

    stt_model: str
    pair_count: int
    right_count: int
    before: Reliability | None
    after: Reliability | None
    map: ConfidenceMap | None
    reason: str = ""


def fit_recognisers(pairs: Sequence[VerifiedPair], seed: int = 0) -> tuple[RecogniserFit, ...]:
    """A fit for each recogniser (engine and model), by its name.

    Args:
        pairs: those without a confidence, or of which nobody said whether the source is right, say
            nothing here.
    """
    by_model: dict[str, list[VerifiedPair]] = {}
    for pair in pairs:
        if pair.is_source_right is not None and pair.pair.measured.stt_confidence is not None:
            by_model.setdefault(pair.pair.stt_model, []).append(pair)
    return tuple(_fit_recogniser(model, by_model[model], seed) for model in sorted(by_model))


def _fit_recogniser(stt_model: str, pairs: Sequence[VerifiedPair], seed: int) -> RecogniserFit:
    confidences = np.array([pair.pair.measured.stt_confidence for pair in pairs], dtype=float)
    is_right = np.array([pair.is_source_right for pair in pairs], dtype=bool)
    sessions = [pair.pair.session_id for pair in pairs]
    right_count = int(is_right.sum())
    before = reliability(confidences, is_right)

    def without_map(reason: str, after: Reliability | None = None) -> RecogniserFit:
        return RecogniserFit(stt_model, len(pairs), right_count, before, after, None, reason)

    if len(pairs) < MIN_PAIRS:
        return without_map(f"{len(pairs)} verified pairs, {MIN_PAIRS} are needed")
    if (least := min(right_count, len(pairs) - right_count)) < MIN_OF_EITHER_KIND:
        kind = "wrong" if least == len(pairs) - right_count else "right"
        return without_map(f"{least} sources were {kind}, {MIN_OF_EITHER_KIND} are needed")
    if len(set(sessions)) < 2:
        return without_map("all pairs are of one session, two are needed")
    held_out = np.empty_like(confidences)
    for train, test in folds(sessions, is_right, seed):
        fitted = fit_map(confidences[train], is_right[train])
        held_out[test] = [value if fitted is None else fitted(value) for value in confidences[test]]
    after = reliability(held_out, is_right)
    if after.brier >= before.brier:
        return without_map("a map does not help on sessions that it has not seen", after)
    fitted = fit_map(confidences, is_right)
    if fitted is None:
        return without_map("the confidences tell right from wrong no better than chance", after)
    return RecogniserFit(stt_model, len(pairs), right_count, before, after, fitted)


def composite_reliability(
    verified: Sequence[VerifiedPair], now: Rules, seed: int = 0
) -> tuple[Reliability | None, Reliability | None]:
    """The composite against whether the pair is good: without maps, and with those of the others.

    The second is measured on sessions that no map was fitted on; None with a single session. Both
    are None when no pair has a score.
    """
    is_good: Flags = np.array([pair.is_good for pair in verified], dtype=bool)
    before = _scores(verified, replace(now, calibration=IDENTITY))
    is_scored = np.isfinite(before)
    if not is_scored.any():
        return None, None
    of_before = reliability(before[is_scored], is_good[is_scored])
    sessions = [pair.pair.session_id for pair in verified]
    if len(set(sessions)) < 2:
        return of_before, None
    after = np.empty_like(before)
    for train, test in folds(sessions, is_good, seed):
        maps = with_maps(fit_recognisers([verified[index] for index in train], seed))
        tested = [verified[index] for index in test]
        after[test] = _scores(tested, replace(now, calibration=maps))
    return of_before, reliability(after[is_scored], is_good[is_scored])


def _scores(pairs: Sequence[VerifiedPair], rules: Rules) -> Floats:
    """The composite of each pair; NaN without one."""
    scores = [rules.score(pair.pair) for pair in pairs]
    return np.array([np.nan if score is None else score for score in scores], dtype=float)


def with_maps(fits: Sequence[RecogniserFit]) -> Calibration:
    """A calibration of the maps that were fitted, without thresholds."""
    return Calibration(
        schema_version=1, stt={fit.stt_model: fit.map for fit in fits if fit.map is not None}
    )


def fit_map(confidences: Floats, is_right: Flags) -> ConfidenceMap | None:
    """The isotonic fit of the share that is right, with a knot at the centre of each level.

    Straight lines between the centres (Oron and Flournoy 2017, centered isotonic regression) keep
    the fit as it is and leave no steps. The targets are those of Platt 1999 instead of 0 and 1, so
    that no finite number of pairs makes anything certain. None when there is but one level.
    """
    right, wrong = int(is_right.sum()), int((~is_right).sum())
    targets = np.where(is_right, (right + 1) / (right + 2), 1 / (wrong + 2))
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(confidences, targets)
    knots: list[tuple[float, float]] = []
    for level in np.unique(np.round(fitted, 9)):
        members = confidences[np.isclose(fitted, level, rtol=0.0, atol=1e-9)]
        centre = round(float(members.mean()), 6)
        if not knots or centre - knots[-1][0] >= _SMALLEST_STEP:
            knots.append((centre, round(float(level), 6)))
    return ConfidenceMap(tuple(knots), len(confidences)) if len(knots) > 1 else None


def folds(
    sessions: Sequence[str], is_right: Flags, seed: int
) -> Iterator[tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
    """(training, test) indices: no session on both sides, the kinds as even as that allows."""
    number = min(FOLDS, len(set(sessions)))
    # A kind with fewer members than folds cannot be in each of them.
    is_rare = min(np.unique(is_right, return_counts=True)[1]) < number
    kind_of_fold = GroupKFold if is_rare else StratifiedGroupKFold
    splitter = kind_of_fold(number, shuffle=True, random_state=seed)
    for train, test in splitter.split(np.zeros(len(sessions)), is_right, groups=list(sessions)):
        if len(test):
            yield train, test


def reliability(predicted: Floats, is_right: Flags) -> Reliability:
    """Of predictions in [0, 1].

    Raises:
        ValueError: there are none.
    """
    if not len(predicted):
        raise ValueError("there is nothing to measure")
    order = np.argsort(predicted, kind="stable")
    bins = tuple(
        Bin(float(predicted[part].mean()), float(is_right[part].mean()), len(part))
        for part in np.array_split(order, min(_BINS, len(order)))
    )
    error = sum(bin.pair_count * abs(bin.predicted - bin.right) for bin in bins)
    return Reliability(
        ece=error / len(predicted),
        brier=float(np.mean((predicted - is_right) ** 2)),
        bins=bins,
    )
