"""What this service counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

VIEWERS = Gauge("glossa_captions_viewers", "Displays being served now.", ["transport"])
CUTS = Counter(
    "glossa_captions_cuts_total", "Displays ended by this service, by reason.", ["reason"]
)
REFUSALS = Counter(
    "glossa_captions_refusals_total", "Displays that were not let in, by reason.", ["reason"]
)
REFUSALS.labels("TOO_MANY_VIEWERS")  # from 0 on: the first one counts as an increase
EVENTS = Counter("glossa_captions_events_total", "Events from upstream, by kind.", ["kind"])
PARTIALS_SKIPPED = Counter(
    "glossa_captions_partials_skipped_total", "Partials that a newer text overtook in a queue."
)
UPSTREAM_CONNECTED = Gauge(
    "glossa_captions_upstream_connected_bool", "1 while the upstream is being followed."
)
SESSIONS = Gauge("glossa_captions_sessions", "Sessions in the history.")


def by_label(metric: Counter | Gauge) -> dict[str, int]:
    """What is counted under each value of a metric's one label, zeros left out."""
    (family,) = metric.collect()
    return {
        label: int(sample.value)
        for sample in family.samples
        if not sample.name.endswith("_created") and sample.value
        for label in sample.labels.values()
    }


def is_set(metric: Gauge) -> bool:
    """Whether a gauge that says yes or no says yes."""
    (family,) = metric.collect()
    return any(sample.value for sample in family.samples)
