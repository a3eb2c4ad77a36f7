"""What mt counts, for Prometheus."""

from __future__ import annotations

import prometheus_client

REQUESTS = prometheus_client.Counter(
    "glossa_mt_requests_total", "Texts asked for, by kind and outcome.", ["kind", "outcome"]
)
ENGINE_SECONDS = prometheus_client.Histogram(
    "glossa_mt_engine_seconds",
    "Time of one text in the engine, waiting not included.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
QUEUE_DEPTH = prometheus_client.Gauge(
    "glossa_mt_queue_depth", "Texts that wait for the engine.", ["kind"]
)
DRAFTS_DROPPED = prometheus_client.Counter(
    "glossa_mt_drafts_dropped_total", "Drafts given up because the queue was full."
)
UNKNOWN_WORDS = prometheus_client.Counter(
    "glossa_mt_unknown_words_total", "Words that the engine did not know and copied through."
)
ENGINE_RESTARTS = prometheus_client.Gauge(
    "glossa_mt_engine_restarts_total", "Broken runtimes replaced since the start."
)
