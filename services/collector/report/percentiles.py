"""Percentiles as a report tells them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def percentiles(values: Iterable[float]) -> dict[str, float | None]:
    """p50, p90, p95 and p99 (linear interpolation); None without values."""
    ordered = sorted(values)
    return {f"p{share}": _percentile(ordered, share) for share in (50, 90, 95, 99)}


def _percentile(ordered: Sequence[float], share: int) -> float | None:
    if not ordered:
        return None
    position = (len(ordered) - 1) * share / 100
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (position - low), 4)
