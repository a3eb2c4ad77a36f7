"""Which finals are never shown, and why.

Recognisers invent words in music, noise and silence; nothing is better than a wrong caption.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Literal

SuppressionReason = Literal["no_words", "no_speech", "low_confidence", "repetition"]

# Whisper's own limits (openai/whisper, transcribe.py: no_speech_threshold and
# compression_ratio_threshold).
MAX_NO_SPEECH_PROB = 0.6
MAX_COMPRESSION_RATIO = 2.4


@dataclass(frozen=True)
class FinalFigures:
    """What is known of a final before it is shown."""

    text: str
    avg_logprob: float | None  # <= 0
    no_speech_prob: float  # [0, 1]
    compression_ratio: float


def compression_ratio(text: str) -> float:
    """len(text) / len(zlib(text)) in bytes, as Whisper defines it; 0 for no text."""
    text_bytes = text.encode()
    return len(text_bytes) / len(zlib.compress(text_bytes)) if text_bytes else 0.0


def suppression_reason(figures: FinalFigures, min_avg_logprob: float) -> SuppressionReason | None:
    """Why this final must not be shown; None when it may.

    Args:
        min_avg_logprob: the engine's own limit, <= 0.
    """
    if not figures.text.strip():
        return "no_words"
    if figures.no_speech_prob > MAX_NO_SPEECH_PROB:
        return "no_speech"
    if figures.compression_ratio > MAX_COMPRESSION_RATIO:
        return "repetition"
    if figures.avg_logprob is not None and figures.avg_logprob < min_avg_logprob:
        return "low_confidence"
    return None
