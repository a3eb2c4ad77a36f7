"""How long a model takes for a sentence of about twenty tokens, one after another."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from services.collector.report.percentiles import percentiles
from training.evaluation.translators import Translator

# English sentences of 13 to 17 words have about 20 tokens in the vocabularies of OPUS-MT and Gemma.
_WORDS = range(13, 18)
_SENTENCES = 40
_WARM_UP = 3  # the first ones pay for what is made on first use


def suitable(texts: Sequence[str]) -> list[str]:
    """The sentences to measure with: of about twenty tokens, else those nearest to that."""
    middle = (_WORDS.start + _WORDS.stop - 1) / 2
    return sorted(dict.fromkeys(texts), key=lambda text: abs(len(text.split()) - middle))[
        :_SENTENCES
    ]


def latency(translator: Translator, texts: Sequence[str]) -> dict[str, Any]:
    """{"draft": {"median_ms", "p95_ms"}, "final": ...}: greedily, and as finals are decoded."""
    return {
        name: _measured(translator, texts, draft=name == "draft") for name in ("draft", "final")
    }


def _measured(translator: Translator, texts: Sequence[str], *, draft: bool) -> dict[str, Any]:
    for text in texts[:_WARM_UP]:
        translator.translate([text], draft=draft)
    passed_ms = []
    for text in texts:
        started_at = time.perf_counter()
        translator.translate([text], draft=draft)
        passed_ms.append((time.perf_counter() - started_at) * 1000)
    found = percentiles(passed_ms)
    return {"median_ms": found["p50"], "p95_ms": found["p95"]}
