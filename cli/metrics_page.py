"""What a service's /metrics says, read once."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

# What Prometheus stores of a family, beside its name.
_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
_LARGEST_COUNT = 2**53  # of those that a float tells apart


@dataclass(frozen=True)
class Durations:
    """How long something took, since the service began.

    Args:
        count: how often it was measured; more than 0.
    """

    p50_ms: float
    p95_ms: float
    count: int


class MetricsPage:
    """The samples of one page, by their names."""

    def __init__(self, text: str) -> None:
        """Raises ValueError where the text is no page of metrics."""
        self.names: set[str] = set()  # those without a sample yet, too
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            self.names |= {family.name + suffix for suffix in _SUFFIXES.get(family.type, ("",))}
            for sample in family.samples:
                _check(sample)
                self._samples[sample.name].append(sample)

    def total(self, name: str) -> float:
        """All samples of a name together; 0 without any."""
        return sum(self.by_label(name, "").values())

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """The samples of a name, added up by the value of one label; only finite ones."""
        values: dict[str, float] = defaultdict(float)
        for sample in self._samples.get(name, ()):
            if math.isfinite(sample.value):
                values[sample.labels.get(label, "")] += sample.value
        return dict(values)

    def durations(self, name: str, label: str = "") -> dict[str, Durations]:
        """A histogram's quantiles by the value of one label; what was never measured is left out.

        As Prometheus's histogram_quantile has them: within a bucket as if evenly spread.
        """
        buckets: dict[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
        for sample in self._samples.get(f"{name}_bucket", ()):
            buckets[sample.labels.get(label, "")][float(sample.labels["le"])] += sample.value
        return {
            key: Durations(
                _quantile_s(0.5, counts) * 1000,
                _quantile_s(0.95, counts) * 1000,
                int(counts[math.inf]),
            )
            for key, counts in buckets.items()
            if counts[math.inf]
        }


def _check(sample: Sample) -> None:
    """Raises ValueError for what no service counts: another program may answer on its port."""
    try:
        value = float(sample.value)
        is_right = not sample.name.endswith("_bucket") or (
            0 <= value <= _LARGEST_COUNT and float(sample.labels["le"]) >= 0
        )
    except (KeyError, OverflowError):
        is_right = False
    if not is_right:
        raise ValueError(f"{sample.name} is not what a service counts")


def _quantile_s(share: float, counts: dict[float, float]) -> float:
    """The value that `share` of all do not exceed; `counts` are cumulative by upper bound."""
    rank = share * counts[math.inf]
    lower, below = 0.0, 0.0
    for upper, count in sorted(counts.items()):
        if count >= rank:
            if math.isinf(upper) or count == below:
                return lower
            return lower + (upper - lower) * (rank - below) / (count - below)
        lower, below = upper, count
    return lower
