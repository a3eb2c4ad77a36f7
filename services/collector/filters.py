"""What is no pair at all: hallucinations, silence, fragments, text that nobody translated.

Pure. A pair is excluded for the first reason in the order of EXCLUSION_REASONS.
"""

from __future__ import annotations

import unicodedata
from collections import Counter

from services.collector.composite import check_unit_interval
from services.collector.pair import Pair

# Whisper's own limits for repetition loops and for text made of silence (Radford et al. 2022,
# section 4.5, and the defaults of its `transcribe`).
MAX_COMPRESSION_RATIO = 2.4
MAX_NO_SPEECH_PROB = 0.6
# The rest: docs/architecture.md, Collection.
MIN_SOURCE_WORDS = 3
MIN_LENGTH_RATIO = 0.8
MAX_LENGTH_RATIO = 2.5
# Names and cognates stay as they are in any translation; a sentence made of them does not.
MAX_COPIED_SHARE = 0.8

INVALID_SIGNAL = "invalid_signal"
NO_SIGNALS = "no_signals"
EXCLUSION_REASONS = (
    INVALID_SIGNAL,
    "compression_ratio",
    "no_speech",
    "too_few_words",
    "copied_through",
    "length_ratio",
    NO_SIGNALS,
)


def exclusion(pair: Pair) -> str | None:
    """The reason why this pair is not worth scoring, or None. What is missing excludes nothing.

    Raises:
        ValueError: a signal, no_speech_prob or compression_ratio is NaN or out of its range.
    """
    for signal in pair.signals:
        check_unit_interval(signal.value)
    check_unit_interval(pair.no_speech_prob)
    if pair.compression_ratio is not None:
        if not 0.0 <= pair.compression_ratio < float("inf"):
            raise ValueError(f"compression_ratio must be >= 0, not {pair.compression_ratio}")
        if pair.compression_ratio > MAX_COMPRESSION_RATIO:
            return "compression_ratio"
    if pair.no_speech_prob is not None and pair.no_speech_prob > MAX_NO_SPEECH_PROB:
        return "no_speech"
    # Of the source only: "Let us pray" is one word in Spanish.
    if len(words(pair.source_text)) < MIN_SOURCE_WORDS:
        return "too_few_words"
    if copied_share(pair.source_text, pair.target_text) > MAX_COPIED_SHARE:
        return "copied_through"
    if not MIN_LENGTH_RATIO <= length_ratio(pair.source_text, pair.target_text) <= MAX_LENGTH_RATIO:
        return "length_ratio"
    return None


def length_ratio(source_text: str, target_text: str) -> float:
    """Characters of the target divided by characters of the source, spaces at the ends left out.

    Characters are code points of the composed form (NFC), so that an accent never counts twice.
    Infinite for an empty source.
    """
    source, target = (
        len(unicodedata.normalize("NFC", text).strip()) for text in (source_text, target_text)
    )
    return target / source if source else float("inf")


def copied_share(source_text: str, target_text: str) -> float:
    """The share of the source's words that are in the target unchanged, [0, 1].

    Case and punctuation do not count; a word that is there twice has to be copied twice.
    """
    source, target = Counter(words(source_text)), Counter(words(target_text))
    return (source & target).total() / source.total() if source else 0.0


def words(text: str) -> list[str]:
    """What stands between spaces, casefolded, without punctuation; nothing but that is no word."""
    cleaned = (
        "".join(character for character in word if character.isalnum())
        for word in unicodedata.normalize("NFKC", text).casefold().split()
    )
    return [word for word in cleaned if word]
