"""Which finals are never shown, and why; which are shown though doubtful.

Recognisers invent words in music, noise and silence; nothing is better than a wrong caption. But a
congregation does say "Amen" three times over: what looks invented is kept back only when the
evidence for it is weak as well.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Literal

from services.stt.engine import Capabilities
from services.stt.phantoms import is_marked_as_sung, is_phantom, spoken_words

SuppressionReason = Literal[
    "no_words",
    "no_speech",
    "low_confidence",
    "repetition",
    "phantom",
    "repeated_segment",
    "music",
]
Flag = Literal["low_confidence", "no_speech", "repetition"]

# Nobody says anything in less.
_MIN_SPOKEN_S = 0.25
# The fastest speakers reach about 10 syllables a second, of 2 to 3 letters each.
_MAX_LETTERS_PER_SECOND = 30.0
# A word or phrase so many times in a row is a loop: as "Holy, holy, holy" is not, more are needed
# where the evidence is good. By the number of its words; the last holds for longer phrases.
_LOOP_TIMES = (8, 6, 5)
_LOOP_TIMES_WEAK = (5, 4, 3)
_MAX_LOOP_WORDS = 12


@dataclass(frozen=True)
class Limits:
    """Beyond a `flag` limit a final is doubtful, beyond a `reject` limit it is not shown.

    The defaults are Whisper's own (openai/whisper, transcribe.py) and, for flags, half way there.
    """

    flag_avg_logprob: float = -0.5
    reject_avg_logprob: float = -1.0
    flag_no_speech_prob: float = 0.3
    reject_no_speech_prob: float = 0.6
    flag_compression_ratio: float = 2.0
    reject_compression_ratio: float = 2.4

    @classmethod
    def of(cls, capabilities: Capabilities) -> Limits:
        """The limits that suit an engine: each has its own scale of probabilities."""
        return cls(
            flag_avg_logprob=capabilities.flag_avg_logprob,
            reject_avg_logprob=capabilities.reject_avg_logprob,
        )


@dataclass(frozen=True)
class FinalFigures:
    """What is known of a final before it is shown.

    Args:
        avg_logprob: <= 0; None when the engine gives none. NaN, from a model that broke, counts as
            no confidence at all.
        no_speech_prob: `combined_no_speech_prob`, [0, 1]; NaN counts as 1.
        compression_ratio: of the text.
        duration_s: from the first speech to the last; infinity when unknown.
        engine_no_speech_prob: the engine's own opinion, [0, 1]; None when it gives none.
    """

    text: str
    avg_logprob: float | None
    no_speech_prob: float
    compression_ratio: float
    duration_s: float = math.inf
    engine_no_speech_prob: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What becomes of a final.

    Args:
        reason: why it must not be shown; None when it may.
        flags: what makes it doubtful, shown or not; in a fixed order.
    """

    reason: SuppressionReason | None
    flags: tuple[Flag, ...] = ()


def compression_ratio(text: str) -> float:
    """len(text) / len(zlib(text)) in bytes, as Whisper defines it; 0 for no text."""
    text_bytes = text.encode(errors="replace")
    return len(text_bytes) / len(zlib.compress(text_bytes)) if text_bytes else 0.0


def combined_no_speech_prob(
    speech_probability: float, engine_no_speech_prob: float | None
) -> float:
    """Voice activity's opinion and the engine's in one figure, [0, 1]: the greater doubt.

    Args:
        speech_probability: voice activity's for the segment, [0, 1]; see SegmentClosed.
        engine_no_speech_prob: None when the engine gives none.
    """
    doubts = [1.0 - speech_probability]
    if engine_no_speech_prob is not None:
        doubts.append(engine_no_speech_prob)
    return max(_known(doubt, 1.0) for doubt in doubts)


def judge(final: FinalFigures, limits: Limits, previous_text: str = "") -> Verdict:
    """Whether a final may be shown, and what makes it doubtful.

    Args:
        previous_text: the final shown just before; empty after a long pause.
    """
    flags = _flags(final, limits)
    return Verdict(_reason(final, limits, flags, previous_text), flags)


def _flags(final: FinalFigures, limits: Limits) -> tuple[Flag, ...]:
    flags: list[Flag] = []
    if _avg_logprob(final) < limits.flag_avg_logprob:
        flags.append("low_confidence")
    if _known(final.no_speech_prob, 1.0) > limits.flag_no_speech_prob:
        flags.append("no_speech")
    compression = _known(final.compression_ratio, math.inf)
    if compression > limits.flag_compression_ratio or _is_loop(final.text, _LOOP_TIMES_WEAK, 0.0):
        flags.append("repetition")
    return tuple(flags)


def _reason(
    final: FinalFigures, limits: Limits, flags: tuple[Flag, ...], previous_text: str
) -> SuppressionReason | None:
    words = spoken_words(final.text)
    if words and is_marked_as_sung(final.text):
        return "music"
    if not words:
        return "no_words"
    if _is_no_speech(final, limits, flags):
        return "no_speech"
    if _known(final.compression_ratio, math.inf) > limits.reject_compression_ratio:
        return "repetition"
    is_weak = "low_confidence" in flags or "no_speech" in flags or _is_too_short(final)
    if _is_loop(final.text, _LOOP_TIMES_WEAK if is_weak else _LOOP_TIMES, 0.5):
        return "repetition"
    if is_weak and is_phantom(final.text):
        return "phantom"
    if is_weak and spoken_words(previous_text)[-len(words) :] == words:
        return "repeated_segment"
    if _avg_logprob(final) < limits.reject_avg_logprob:
        return "low_confidence"
    return None


def _is_no_speech(final: FinalFigures, limits: Limits, flags: tuple[Flag, ...]) -> bool:
    if not _known(final.no_speech_prob, 1.0) > limits.reject_no_speech_prob:
        return False
    # An engine with an opinion of its own is often wrong in it alone, as Whisper's authors found:
    # its confidence in the words has to be low too. Voice activity alone is believed.
    return final.engine_no_speech_prob is None or "low_confidence" in flags


def _is_too_short(final: FinalFigures) -> bool:
    """Whether there was hardly time to say it."""
    letters = sum(map(len, spoken_words(final.text)))
    spoken_s = _known(final.duration_s, 0.0)
    return spoken_s < _MIN_SPOKEN_S or letters > spoken_s * _MAX_LETTERS_PER_SECOND


def _is_loop(text: str, times: tuple[int, ...], share: float) -> bool:
    """Whether some phrase is said so often in a row that it makes up this share of the text.

    Found here and not by compression where the text is too short to compress.
    """
    words = spoken_words(text)
    for length in range(1, min(_MAX_LOOP_WORDS, len(words) // times[-1]) + 1):
        needed = times[min(length, len(times)) - 1]
        # A run of words that equal those `length` before them, and those themselves.
        run = 0
        for index in range(length, len(words)):
            run = run + 1 if words[index] == words[index - length] else 0
            looped = run + length
            if looped >= needed * length and looped >= share * len(words):
                return True
    return False


def _avg_logprob(final: FinalFigures) -> float:
    """For comparing with limits: an engine that gives none is not doubted for it."""
    return 0.0 if final.avg_logprob is None else _known(final.avg_logprob, -math.inf)


def _known(figure: float, otherwise: float) -> float:
    """NaN compares as False with every limit, so it would pass all of them."""
    return otherwise if math.isnan(figure) else figure
