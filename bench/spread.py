"""A list of figures in short."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

Spread = dict[str, float | None]


def spread(values: Sequence[float], digits: int = 1) -> Spread:
    """p50, p95 and p99; None when there is nothing to rank."""
    if not values:
        return {"p50": None, "p95": None, "p99": None}
    return {
        name: round(float(value), digits)
        for name, value in zip(
            ("p50", "p95", "p99"), np.percentile(list(values), [50, 95, 99]), strict=True
        )
    }


def shown(figures: Spread, digits: int = 0) -> str:
    """A spread in a table: "12 / 20 / 31"."""
    return " / ".join("-" if value is None else f"{value:.{digits}f}" for value in figures.values())


def drift(values: Sequence[float]) -> float | None:
    """Median of the last tenth over that of the first tenth: 1 is flat. None below 20 values."""
    tenth = len(values) // 10
    if tenth < 2:
        return None
    first, last = statistics.median(values[:tenth]), statistics.median(values[-tenth:])
    return round(last / first, 3) if first else None
