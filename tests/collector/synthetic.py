"""Verified pairs of which it is known how good they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from services.collector.composite import Measured
from services.collector.verified import ExportedPair, VerifiedPair


def sources(
    count: int, session_count: int, seed: int, share_right: Callable[[float], float]
) -> list[VerifiedPair]:
    """Pairs whose source is right with the probability `share_right(confidence)`."""
    random = np.random.default_rng(seed)
    pairs = []
    for index in range(count):
        confidence = float(random.beta(4, 1.2))
        is_right = bool(random.random() < share_right(confidence))
        pair = ExportedPair(
            pair_id=str(index),
            session_id=f"session-{index % session_count}",
            stt_model="rule/stt",
            measured=Measured(stt_confidence=confidence),
        )
        pairs.append(VerifiedPair(pair, is_right, is_right))
    return pairs


def rated(
    count: int,
    session_count: int,
    seed: int,
    share_good: Callable[[float], float],
    shape: tuple[float, float] = (5.0, 1.5),
) -> list[VerifiedPair]:
    """Pairs with all three signals near their quality, good with the probability `share_good`.

    Args:
        shape: of the beta distribution of the quality.
    """
    random = np.random.default_rng(seed)
    pairs = []
    for index in range(count):
        quality = float(random.beta(*shape))
        signals = np.clip(quality + random.normal(0, 0.05, 3), 0, 1)
        is_good = bool(random.random() < share_good(quality))
        pair = ExportedPair(
            pair_id=str(index),
            session_id=f"session-{index % session_count}",
            stt_model="rule/stt",
            measured=Measured(*map(float, signals)),
        )
        pairs.append(VerifiedPair(pair, is_good, None))
    return pairs


def rising(middle: float, steepness: float) -> Callable[[float], float]:
    """A logistic curve that is one half at `middle`."""
    return lambda quality: float(1 / (1 + np.exp(-steepness * (quality - middle))))
