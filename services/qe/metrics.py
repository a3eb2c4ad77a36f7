"""What qe counts, for Prometheus."""

from __future__ import annotations

import prometheus_client

REQUESTS = prometheus_client.Counter(
    "glossa_qe_requests_total", "Requests by outcome.", ["outcome"]
)
PAIRS = prometheus_client.Counter(
    "glossa_qe_pairs_total", "Pairs that went through an engine.", ["engine"]
)
SIGNALS_MISSING = prometheus_client.Counter(
    "glossa_qe_signals_missing_total", "Signals that could not be measured.", ["signal"]
)
ENGINE_SECONDS = prometheus_client.Histogram(
    "glossa_qe_engine_seconds",
    "Time of one run of an engine over a batch of pairs, waiting not included.",
    ["engine"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
BATCH_PAIRS = prometheus_client.Histogram(
    "glossa_qe_batch_pairs",
    "Pairs that went through an engine together.",
    ["engine"],
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
QUEUE_DEPTH = prometheus_client.Gauge(
    "glossa_qe_queue_depth", "Requests that wait for an engine.", ["engine"]
)
ENGINE_MISSING = prometheus_client.Gauge(
    "glossa_qe_engine_missing",
    "1 while an engine that was asked for is not there and its signals are unset.",
    ["engine"],
)
LOADS = prometheus_client.Counter(
    "glossa_qe_loads_total", "Loads of an engine by outcome.", ["engine", "outcome"]
)
UNKNOWN_WORDS = prometheus_client.Counter(
    "glossa_qe_unknown_words_total", "Words of translations that the way back did not know."
)
ENGINE_RESTARTS = prometheus_client.Gauge(
    "glossa_qe_engine_restarts_total", "Broken runtimes replaced since the start."
)
