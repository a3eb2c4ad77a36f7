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
FIRST_TOKEN_SECONDS = prometheus_client.Histogram(
    "glossa_mt_first_token_seconds",
    "From the request to the first token, waiting included; of runtimes that stream.",
    ["kind"],
    buckets=(0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
TOKENS = prometheus_client.Counter("glossa_mt_tokens_total", "Tokens generated.", ["tier"])
BATCH_TEXTS = prometheus_client.Histogram(
    "glossa_mt_batch_texts",
    "Texts that went to the engine together.",
    ["tier"],
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
QUEUE_DEPTH = prometheus_client.Gauge(
    "glossa_mt_queue_depth", "Texts that wait for an engine.", ["kind"]
)
DRAFTS_DROPPED = prometheus_client.Counter(
    "glossa_mt_drafts_dropped_total", "Drafts given up because the queue was full."
)
UNKNOWN_WORDS = prometheus_client.Counter(
    "glossa_mt_unknown_words_total", "Words that the engine did not know and copied through."
)
TERMS = prometheus_client.Counter(
    "glossa_mt_terms_total",
    "Glossary terms in the sources of finals: kept by the engine, placed afterwards, missing.",
    ["outcome"],
)
SENTENCES = prometheus_client.Counter(
    "glossa_mt_sentences_total",
    "Sentences of the embedded translator, by the model that spoke.",
    ["kind", "model"],
)
FAILED_CHECKS = prometheus_client.Counter(
    "glossa_mt_failed_checks_total",
    "Checks that sentences of the embedded translator's own model failed.",
    ["kind", "check"],
)
DOUBTS = prometheus_client.Counter(
    "glossa_mt_doubts_total",
    "Answers that are no translations, by tier and what speaks against them.",
    ["tier", "doubt"],
)
SHED = prometheus_client.Counter(
    "glossa_mt_shed_total", "Finals answered by the draft tier, by reason.", ["reason"]
)
DEGRADED = prometheus_client.Gauge(
    "glossa_mt_degraded_bool", "1: the final tier rests after a failure, the draft tier answers."
)
ENGINE_RESTARTS = prometheus_client.Gauge(
    "glossa_mt_engine_restarts_total", "Broken runtimes replaced since the start."
)
LOADS = prometheus_client.Counter(
    "glossa_mt_model_loads_total", "Models loaded while serving, by outcome.", ["tier", "outcome"]
)
