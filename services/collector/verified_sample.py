"""Verified pairs under some rules: the share of each band, and how good it is. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from services.collector.bands import (
    BANDS,
    DEFAULT_THRESHOLDS,
    Band,
    Thresholds,
    band_of,
    best_reachable,
)
from services.collector.calibration import IDENTITY, Calibration
from services.collector.composite import DEFAULT_WEIGHTS, Measured, Weights, composite
from services.collector.verified import ExportedPair, VerifiedPair

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

THRESHOLDS = tuple(hundredth / 100 for hundredth in range(101))
Z = 1.959964  # 95 %, two-sided


@dataclass(frozen=True, slots=True)
class Precision:
    """The share of good pairs among some, with its Wilson interval of 95 %.

    Args:
        share: None when there are none.
        pair_count: verified pairs behind it.
    """

    share: float | None
    low: float
    high: float
    pair_count: int


@dataclass(frozen=True, slots=True)
class BandFigures:
    """A band under some thresholds: the share of all pairs that is in it, and how good they are."""

    share: float
    precision: Precision


def wilson(good: float, count: float) -> tuple[float, float]:
    """The interval of 95 % of a share, [0, 1]; all of it when count is 0 (Wilson 1927).

    Args:
        good: successes; like `count` an effective number where pairs have weights.
    """
    if count <= 0:
        return 0.0, 1.0
    share = good / count
    middle = share + Z**2 / (2 * count)
    reach = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    scale = 1 + Z**2 / count
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


@dataclass(frozen=True, slots=True)
class Rules:
    """How pairs are judged."""

    weights: Weights = DEFAULT_WEIGHTS
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    calibration: Calibration = IDENTITY

    def score(self, pair: ExportedPair) -> float | None:
        """The composite with the calibrated confidence; None when nothing was measured."""
        return composite(self._measured(pair), self.weights)

    def band(self, pair: ExportedPair) -> Band | None:
        """The band; None when nothing was measured."""
        score = self.score(pair)
        if score is None:
            return None
        return band_of(score, self._measured(pair), self.thresholds, pair.caps)

    def _measured(self, pair: ExportedPair) -> Measured:
        confidence = pair.measured.stt_confidence
        if confidence is None:
            return pair.measured
        calibrated = self.calibration.confidence(pair.stt_model, confidence)
        return replace(pair.measured, stt_confidence=calibrated)


class Sample:
    """Verified pairs under a calibration, and all collected pairs that they stand for.

    Args:
        collected: what the shares are of, and what the verified pairs are weighted by (see
            `stratum_weights`). Empty: the verified pairs stand for themselves alone.
        now: how the pairs were judged when it was decided which ones a person looks at.
    """

    def __init__(
        self,
        verified: Sequence[VerifiedPair],
        collected: Sequence[ExportedPair],
        calibration: Calibration,
        now: Rules,
    ) -> None:
        rules = replace(now, calibration=calibration)
        known = {pair.pair.pair_id for pair in verified}
        others = [pair for pair in collected if pair.pair_id not in known]
        self._weights = stratum_weights(verified, collected, now)
        self._is_good: Flags = np.array([pair.is_good for pair in verified], dtype=bool)
        self._verified = _Judged([pair.pair for pair in verified], rules)
        self._all = _Judged([*(pair.pair for pair in verified), *others], rules)

    @property
    def lowest_score(self) -> float:
        """Of the verified pairs: below it nothing is known. 1 without any."""
        return self._verified.lowest_score

    def figures(self, thresholds: Thresholds) -> dict[Band, BandFigures]:
        """Every band under these thresholds."""
        of_verified, of_all = self._verified.bands(thresholds), self._all.bands(thresholds)
        return {
            band: BandFigures(
                share=float(np.mean(of_all == index)) if len(of_all) else 0.0,
                precision=precision(
                    self._is_good[of_verified == index], self._weights[of_verified == index]
                ),
            )
            for index, band in enumerate(BANDS)
        }

    def accepted(self) -> list[tuple[float, BandFigures]]:
        """What would be accepted at each threshold from 0 to 1 in steps of a hundredth."""
        return [
            (threshold, self.figures(Thresholds(threshold, 0.0, 0.0))[Band.ACCEPT])
            for threshold in THRESHOLDS
        ]


class _Judged:
    """Scores of pairs, and the best band that each can reach, as arrays."""

    def __init__(self, pairs: Sequence[ExportedPair], rules: Rules) -> None:
        scores = [rules.score(pair) for pair in pairs]
        self._scores: Floats = np.array([-1.0 if s is None else s for s in scores], dtype=float)
        self._reachable = np.array(
            [BANDS.index(best_reachable(pair.measured, pair.caps)) for pair in pairs], dtype=int
        )

    @property
    def lowest_score(self) -> float:
        return float(self._scores[self._scores >= 0].min(initial=1.0))

    def bands(self, thresholds: Thresholds) -> npt.NDArray[np.int_]:
        """The index in BANDS of each pair's band, as `band_of` gives it; -1 without a score."""
        limits = np.array([thresholds.accept, thresholds.moderate, thresholds.review])
        reached = (self._scores[:, None] < limits[None, :]).sum(axis=1)
        return np.where(self._scores < 0, -1, np.maximum(reached, self._reachable))


def stratum_weights(
    verified: Sequence[VerifiedPair], collected: Sequence[ExportedPair], now: Rules
) -> Floats:
    """How many collected pairs each verified one stands for.

    People look at the doubtful pairs, so those say more of the doubtful bands than of the others.
    Where every tenth pair of a band was looked at, each counts ten times (post-stratification). A
    band of which none was looked at stays unknown.
    """
    known = {pair.pair.pair_id for pair in verified}
    bands = [now.band(pair.pair) for pair in verified]
    seen = Counter(bands)
    there = seen + Counter(now.band(pair) for pair in collected if pair.pair_id not in known)
    return np.array([there[band] / seen[band] for band in bands], dtype=float)


def precision(is_good: Flags, weights: Floats) -> Precision:
    """The weighted share of good pairs; its interval is that of the effective count (Kish 1965)."""
    total = float(weights.sum())
    if not total:
        return Precision(None, 0.0, 1.0, 0)
    share = float(weights[is_good].sum()) / total
    effective = total**2 / float((weights**2).sum())
    return Precision(share, *wilson(share * effective, effective), len(weights))
