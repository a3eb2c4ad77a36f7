"""What this service counts. The totals of record are in Redis (see Stats); these start at zero."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

PAIRS = Counter("glossa_collector_pairs_total", "Pairs written, by band.", ["band"])
EXCLUSIONS = Counter("glossa_collector_exclusions_total", "Pairs excluded, by reason.", ["reason"])
DECISIONS = Counter(
    "glossa_collector_decisions_total", "Decisions of people written, by decision.", ["decision"]
)
SESSIONS_FORGOTTEN = Counter(
    "glossa_collector_sessions_forgotten_total", "Sessions of which everything was deleted."
)
DUPLICATES = Counter(
    "glossa_collector_duplicates_total", "Events that were in Redis already and changed nothing."
)
MALFORMED = Counter(
    "glossa_collector_malformed_entries_total", "Entries of the streams that could not be read."
)
AUTO_ACCEPT_RATIO = Gauge(
    "glossa_collector_auto_accept_ratio",
    "Share accepted of the newest pairs with all three signals (acceptance.py); NaN before one.",
)
AUTO_ACCEPT_RATIO.set(float("nan"))
QUEUE_AVAILABLE = Gauge(
    "glossa_collector_queue_available_bool", "1 while Redis takes pairs, 0 while it is waited for."
)
QUEUE_LENGTH = Gauge(
    "glossa_collector_queue_length", "Entries in a stream when last looked at, by band.", ["band"]
)
QUEUE_TOO_LONG = Gauge(
    "glossa_collector_queue_too_long_bool",
    "1 while a stream has more entries than queue_length_alarm, by band.",
    ["band"],
)
TRIMMED = Counter(
    "glossa_collector_trimmed_entries_total",
    "Entries taken off a stream that every consumer group had acknowledged, by band.",
    ["band"],
)
QUEUE_AT_RISK = Gauge(
    "glossa_collector_queue_at_risk_bool",
    "1 while a setting of Redis lets pairs be lost, or forgotten ones stay, by the setting.",
    ["setting"],
)
WRITE_SECONDS = Histogram(
    "glossa_collector_write_duration_seconds",
    "Time until a batch of events was in Redis, waiting for it included.",
    buckets=(0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
)
UPSTREAM_CONNECTED = Gauge(
    "glossa_collector_upstream_connected_bool", "1 while the gateway's journal is being followed."
)
CURSOR = Gauge("glossa_collector_cursor_sequence", "Last sequence that is safe in Redis.")
EVENTS_WAITING = Gauge(
    "glossa_collector_events_waiting", "Events read from the gateway and not yet in Redis."
)
