"""How sure a difference between two models is: the paired bootstrap.

The same sentences are drawn for both models, 1000 times (Koehn 2004, "Statistical Significance
Tests for Machine Translation Evaluation"); sentences of one sermon or book are alike, so where
there are groups of them whole groups are drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.measures import Counts, Measure

RESAMPLES = 1000
_INTERVAL = (2.5, 97.5)  # the middle 95 %
_AT_ONCE = 100  # resamples whose draws are in memory together
_SEED = 12345  # fixed: the same translations give the same interval


@dataclass(frozen=True)
class Judged:
    """One set's counts by one measure.

    Args:
        units: for each sentence the number of what it is drawn with, from 0 on.
        old: None where one model alone is judged.
    """

    new: Counts
    old: Counts | None
    units: tuple[int, ...]


def judged(measure: Measure, sets: Sequence[Judged]) -> dict[str, float | None]:
    """Scores over sets, and their difference with its 95 % interval.

    Returns:
        {"new", "old", "difference", "low", "high"}, the last four only with an old model; None
        where there was nothing to count.
    """
    new = _score(measure, [each.new.sum(axis=0) for each in sets])
    pairs = [(each.new, each.old, each.units) for each in sets if each.old is not None]
    if len(pairs) < len(sets):
        return {"new": _known(new)}
    old = _score(measure, [counts.sum(axis=0) for _, counts, _ in pairs])
    differences = _differences(measure, pairs)
    low, high = (
        np.nanpercentile(differences, _INTERVAL)
        if not np.isnan(differences).all()
        else (float("nan"), float("nan"))
    )
    return {
        "new": _known(new),
        "old": _known(old),
        "difference": _known(new - old),
        "low": _known(float(low)),
        "high": _known(float(high)),
    }


def _differences(
    measure: Measure, sets: Sequence[tuple[Counts, Counts, tuple[int, ...]]]
) -> NDArray[np.float64]:
    """new - old in each resample; the sets are drawn each by itself."""
    new_sums, old_sums = [], []
    for number, (new, old, units) in enumerate(sets):
        counts = np.hstack([new, old])
        by_unit = np.zeros((max(units) + 1, counts.shape[1]))
        np.add.at(by_unit, np.array(units), counts)
        sums = _resampled(by_unit, np.random.default_rng((_SEED, number)))
        new_sums.append(sums[:, : new.shape[1]])
        old_sums.append(sums[:, new.shape[1] :])
    return np.array(
        [
            _score(measure, [sums[at] for sums in new_sums])
            - _score(measure, [sums[at] for sums in old_sums])
            for at in range(RESAMPLES)
        ]
    )


def _resampled(by_unit: Counts, random: np.random.Generator) -> Counts:
    """Sums of as many units as there are, drawn with replacement, RESAMPLES times."""
    count = len(by_unit)
    return np.vstack(
        [
            random.multinomial(count, np.full(count, 1 / count), size=_AT_ONCE) @ by_unit
            for _ in range(RESAMPLES // _AT_ONCE)
        ]
    )


def _score(measure: Measure, sums: Sequence[NDArray[np.float64]]) -> float:
    if measure.pools:
        return measure.score(np.sum(sums, axis=0))
    scores = np.array([measure.score(each) for each in sums])
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if len(known) else float("nan")


def _known(value: float) -> float | None:
    return None if np.isnan(value) else round(value, 4)
