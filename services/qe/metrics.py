"""What qe counts, for Prometheus."""

from __future__ import annotations

import prometheus_client

REQUESTS = prometheus_client.Counter(
    "glossa_qe_requests_total", "Requests by outcome.", ["outcome"]
)
PAIRS = prometheus_client.Counter("glossa_qe_pairs_total", "Pairs measured.")
SIGNALS_MISSING = prometheus_client.Counter(
    "glossa_qe_signals_missing_total", "Signals that could not be measured.", ["signal"]
)
ENGINE_SECONDS = prometheus_client.Histogram(
    "glossa_qe_engine_seconds",
    "Time of one run of the engine over up to a chunk of pairs, waiting not included.",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
QUEUE_DEPTH = prometheus_client.Gauge("glossa_qe_queue_depth", "Requests that wait for the engine.")
UNKNOWN_WORDS = prometheus_client.Counter(
    "glossa_qe_unknown_words_total", "Words of translations that the way back did not know."
)
ENGINE_RESTARTS = prometheus_client.Gauge(
    "glossa_qe_engine_restarts_total", "Broken runtimes replaced since the start."
)
