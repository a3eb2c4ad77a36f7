"""The four bands that pairs are sorted into, and how high a pair can reach."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from services.collector.composite import Measured


class Band(StrEnum):
    """What a pair is good for; the value is the last part of its stream's name."""

    ACCEPT = "accept"
    MODERATE = "moderate"
    REVIEW = "review"
    REJECT = "reject"


BANDS = tuple(Band)  # best first


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The least composite score of each band; below `review` a pair is rejected.

    Source: docs/architecture.md, Collection.

    Raises:
        ValueError: they are not in order within [0, 1].
    """

    # Read from a file (calibration.py), a misspelt name is an error and no default.
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    accept: float = 0.85
    moderate: float = 0.70
    review: float = 0.50

    def __post_init__(self) -> None:
        if not 0.0 <= self.review <= self.moderate <= self.accept <= 1.0:
            raise ValueError(
                "thresholds must hold 0 <= review <= moderate <= accept <= 1, not "
                f"review {self.review}, moderate {self.moderate}, accept {self.accept}"
            )


DEFAULT_THRESHOLDS = Thresholds()


def band_of(
    score: float,
    measured: Measured,
    thresholds: Thresholds = DEFAULT_THRESHOLDS,
    caps: Collection[str] = (),
) -> Band:
    """The band of a composite score, no better than what was measured and `caps` allow.

    Never worse when the score, or a measured value that it came from, rises.

    Raises:
        ValueError: the score is NaN or outside [0, 1].
    """
    if not 0.0 <= score <= 1.0:
        raise ValueError(f"a score must lie in [0, 1], not be {score}")
    if score >= thresholds.accept:
        reached = Band.ACCEPT
    elif score >= thresholds.moderate:
        reached = Band.MODERATE
    elif score >= thresholds.review:
        reached = Band.REVIEW
    else:
        reached = Band.REJECT
    return max(reached, best_reachable(measured, caps), key=BANDS.index)


def best_reachable(measured: Measured, caps: Collection[str] = ()) -> Band:
    """The best band that a pair can reach, whatever its score.

    Only a pair with all three signals is accepted unseen. One that misses any of them, or that a
    rule caps (see caps.py), is moderate at most, however well it scores; without any word on its
    translation, review at most.
    """
    if measured.translation_quality is None:
        return Band.REVIEW
    return Band.ACCEPT if measured.is_complete and not caps else Band.MODERATE
