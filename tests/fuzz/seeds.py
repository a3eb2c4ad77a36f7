"""Inputs that parsers take, where they are longer than a line or two."""

from __future__ import annotations

import io
import struct

import av
import numpy as np

from services.audio import SAMPLE_RATE_HERTZ

_ENTRY = {
    "sequence": "1",
    "time": "2026-11-21T10:00:00+00:00",
    "session_id": "s",
    "segment_id": "2",
    "source_language": "en",
    "target_language": "es",
    "source_text": "Amen.",
    "target_text": "Amén.",
    "stt_model": "a",
    "mt_model": "b",
    "signals": '[{"name": "n", "value": 0.5, "model": "m"}]',
    "flags": '["f"]',
    "start_offset_ms": "0",
    "end_offset_ms": "10",
    "missing_terms": '[["a", "b"]]',
    "band": "review",
    "quality_score": "0.5",
    "caps": '["c"]',
    "calibration": "",
    "original_source_text": "Amen.",
    "original_target_text": "Amén.",
    "decision": "fixed",
    "reviewer": "r",
    "review_id": "i",
    "review_revision": "1",
}
REDIS_ENTRY = "\n".join(f"{name}\t{value}" for name, value in _ENTRY.items()).encode()

CALIBRATION = b"""{
"schema_version": 1,
"fitted_on": {"pair_count": 60, "session_count": 2, "time": "2026-11-21T10:00:00Z", "sha256": "0f"},
"stt": {"faster-whisper": {"knots": [[0, 0.1], [0.5, 0.5], [0.9, 0.8]], "pair_count": 50}},
"thresholds": {"accept": 0.9, "moderate": 0.8, "review": 0.6}
}"""

EXPORTED_PAIRS = b"""\
{"pair_id": "s/1/es", "session_id": "s", "decision": "fixed", "review_revision": 2, \
"source_language": "en", "target_language": "es", "en": "Amen.", "es": "Am\xc3\xa9n.", \
"original_source_text": "A man.", "original_target_text": "Am\xc3\xa9n."}
{"session_id": "s", "stt_model": "a", "avg_logprob": -0.2, "translation_qe": 0.5, \
"marian_agreement": null, "signals": {"heuristic_quality": 0.5}, "flags": ["f"], \
"missing_terms": [["a", "b"]], "is_good": true}
"""

TOKENS = b"""\
[hall]
role = "view"
hash = "%b"
expires = 2027-02-19
sessions = ["20261122-*"]
[desk]
role = "operate"
hash = "%b"
""" % (b"0f" * 32, b"1e" * 32)

PLAN = b"""\
trainer = "marian"
model_name = "a"
minimum_pairs = 2
gpu_lock = "${A:-b}"
[snapshot]
min_band = "accept"
held_out_share = 0.1
[mix]
recipe = "first"
bible = "."
data = "."
pairs = 20
[train]
model = "."
no_muon = true
[export]
quantization = "int8"
licence = "Apache-2.0"
[evaluate]
old = "apertium"
[registry]
registry = "a"
[deploy]
host = ["local:a@127.0.0.1:7304"]
"""

CHECKS = b"""\
[[check]]
says = "a"
value = "translation.sets.*.plain.chrf.high"
least = -1
[[check]]
says = "b"
value = "recognition.wer.new"
less_than = 0.5
optional = true
"""

HOSTS = b"""\
[[host]]
name = "booth"
ssh = "glossa@booth.local"
models_dir = "/srv/models"
address = "127.0.0.1:7304"
"""


def gguf(*entries: tuple[str, int, bytes]) -> bytes:
    """A header; each entry is a key, the type of its value and the value."""
    begin = b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries))
    return begin + b"".join(
        _gguf_text(key) + struct.pack("<I", kind) + value for key, kind, value in entries
    )


def _gguf_text(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


GGUF_ENTRIES = (
    ("general.architecture", 8, _gguf_text("gemma3")),
    ("gemma3.block_count", 4, struct.pack("<I", 2)),
    ("tokenizer.chat_template", 8, _gguf_text("<start_of_turn>")),
    ("a", 9, struct.pack("<IQ", 0, 2) + b"xy"),
    (
        "tokenizer.ggml.tokens",
        9,
        struct.pack("<IQ", 8, 2) + _gguf_text("<start_of_turn>") + _gguf_text("a"),
    ),
)


def flac() -> bytes:
    """A twentieth of a second of noise."""
    noise = np.random.default_rng(1).integers(-99, 99, (1, SAMPLE_RATE_HERTZ // 20), np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE_HERTZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise, "s16", "mono")
        frame.rate = SAMPLE_RATE_HERTZ
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()
