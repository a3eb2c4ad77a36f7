"""What the gateway tells Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_LAG_BUCKETS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 8, 13, 21, 60)

SESSIONS_OPEN = Gauge("glossa_gateway_sessions_open", "Sessions that have not ended.")
SPEAKERS_CONNECTED = Gauge("glossa_gateway_speakers_connected", "Sessions with a speaker's stream.")
AUDIO_SECONDS = Counter("glossa_gateway_audio_seconds", "Seconds of audio taken in.")
GAP_SECONDS = Counter("glossa_gateway_gap_seconds", "Seconds of audio that never came.")
SKIPPED_SECONDS = Counter(
    "glossa_gateway_skipped_seconds",
    "Seconds of audio skipped that broke stt each time.",
    ["reason"],
)
FINALS = Counter("glossa_gateway_finals", "Finals journalled.")
SUPPRESSED = Counter(
    "glossa_gateway_segments_suppressed", "Segments that stt opened and dropped.", ["reason"]
)
STT_REOPENED = Counter(
    "glossa_gateway_stt_streams_reopened", "stt streams opened again.", ["reason"]
)
WORK = Counter(
    "glossa_gateway_work",
    "Final translations (translate), pair scores (score) and the second mt's translations "
    "(alternative) by outcome of each attempt.",
    ["stage", "language", "outcome"],
)
DRAFTS = Counter("glossa_gateway_drafts", "Drafts by outcome.", ["outcome"])
ALTERNATIVES_DROPPED = Counter(
    "glossa_gateway_alternatives_dropped",
    "Translations that the second mt did not give in time or at all, and that are not waited for.",
    ["reason"],
)
OWED = Gauge(
    "glossa_gateway_owed", "Work in hand or waiting, of which at most 64 are counted.", ["stage"]
)
ENGINE_SECONDS = Histogram(
    "glossa_gateway_translation_engine_seconds",
    "Time in the engine of each final translation, of the first mt and the second.",
    ["stage", "model"],
    buckets=_LAG_BUCKETS,
)
LAG_SECONDS = Histogram(
    "glossa_gateway_lag_seconds",
    "From the arrival of a segment's last speech to its event in the journal.",
    ["stage"],
    buckets=_LAG_BUCKETS,
)
DEGRADED = Gauge(
    "glossa_degraded",
    "1 while captions go without it: speech (stt is away), final_translation (the draft model "
    "writes finals), translation (mt is away), quality (qe is away), journal (it cannot be "
    "written).",
    ["stage"],
)
JOURNAL_SEQUENCE = Gauge(
    "glossa_gateway_journal_sequence", "Newest event in the journal; followers come up to it."
)
JOURNAL_BYTES = Gauge(
    "glossa_gateway_journal_bytes", "Size of the journal's file, without its write-ahead log."
)
DISK_FREE_BYTES = Gauge(
    "glossa_gateway_disk_free_bytes", "Room left where the journal and the kept audio lie."
)
DISK_BYTES = Gauge(
    "glossa_gateway_disk_bytes", "Size of the disk where the journal and the kept audio lie."
)
