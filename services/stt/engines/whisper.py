"""What the Whisper runtimes share: the prompt, limits, cleaned words, failures.

A segment is one window of Whisper, decoded once and without timestamp tokens: word times come from
the decoder's attention. The runtimes' own long-form loops would decode what lies behind the last
word as a window of its own, which doubles the cost and is where "Thank you." comes from.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np

from services import runtime_failures
from services.audio import SAMPLE_RATE_HERTZ, samples_to_ms
from services.errors import EngineFailed, InvalidInput
from services.stt.engine import Capabilities, Decoding, Hypothesis, HypothesisWord, Samples

WINDOW_S = 30
CONTEXT_TOKENS = 448
# Half of the context less the token that announces it, as Whisper was trained (openai/whisper,
# decoding.py).
PROMPT_TOKENS = CONTEXT_TOKENS // 2 - 1
# The languages' tokens, the task's and the one for no timestamps.
_START_TOKENS = 4
# English has 3 to 4.5 tokens a second and Spanish up to 6; a loop of a bad decode has no end.
_TOKENS_PER_SECOND = 15
_SPARE_TOKENS = 16
# The features of less than this are mirrored samples rather than the clip.
_MIN_SAMPLES = SAMPLE_RATE_HERTZ // 2
# Stands for NaN, which comes of numbers that overflowed: no such decode is worth showing.
_BROKEN_AVG_LOGPROB = -10.0

# Control tokens as text: a phrase must not end the prompt.
_CONTROL_MARKS = ("<|", "|>")


class TimedWord(NamedTuple):
    """A word as a runtime gives it: seconds from the first sample; numpy's numbers, even NaN."""

    text: str
    start_s: float
    end_s: float
    probability: float


def capabilities(languages: Iterable[str]) -> Capabilities:
    """The Capabilities of a Whisper; flags and limits are on Whisper's own scale."""
    return Capabilities(
        languages=tuple(languages),
        live_decoders=0,
        word_times=True,
        held_back_words=0,
        # The encoder works through 30 s however little was said: shorter steps cost more than
        # they show.
        partial_step_ms=800,
        flag_avg_logprob=-0.5,
        reject_avg_logprob=-1.0,
        uses_temperature=True,
    )


def prompt_tokens(decoding: Decoding, encode: Callable[[str], list[int]]) -> list[int]:
    """Phrases, then the newest of the previous text: at most PROMPT_TOKENS, half of them phrases.

    Whisper takes a prompt for what was said before: its style and spellings carry over, the end of
    it the most. After one that is nearly all list, small models go on with the list.
    """
    previous = encode(" " + _plain(decoding.previous_text)) if decoding.previous_text else []
    phrases: list[int] = []
    for phrase in decoding.phrases:
        tokens = encode(f" {_plain(phrase)}," if phrase.strip() else "")
        if len(phrases) + len(tokens) > PROMPT_TOKENS // 2:
            break
        phrases += tokens
    left = PROMPT_TOKENS - len(phrases)
    return phrases + previous[max(len(previous) - left, 0) :]


def new_tokens_limit(samples: Samples, prompt: list[int]) -> int:
    """The most tokens that speech of this length can have; a loop ends there."""
    by_length = _SPARE_TOKENS + math.ceil(len(samples) / SAMPLE_RATE_HERTZ * _TOKENS_PER_SECOND)
    room = CONTEXT_TOKENS - len(prompt) - 1 - _START_TOKENS
    return min(by_length, CONTEXT_TOKENS // 2, room)


def window_of(samples: Samples) -> Samples:
    """The samples as a runtime can take them, with silence behind a very short clip.

    Raises:
        InvalidInput: AUDIO_TOO_LONG.
    """
    if len(samples) > WINDOW_S * SAMPLE_RATE_HERTZ:
        raise InvalidInput(
            "AUDIO_TOO_LONG",
            f"{len(samples) / SAMPLE_RATE_HERTZ:.1f} s were given to Whisper at once; it hears "
            f"{WINDOW_S} s: cut the audio into segments",
        )
    window: Samples = np.ascontiguousarray(samples, dtype=np.float32)
    return np.pad(window, (0, max(_MIN_SAMPLES - len(window), 0)))


def hypothesis_of(
    words: Iterable[TimedWord], avg_logprob: float, no_speech_prob: float, samples: Samples
) -> Hypothesis:
    """The Hypothesis: words trimmed, times within the samples and in order, no NaN."""
    duration_ms = samples_to_ms(len(samples))
    cleaned: list[HypothesisWord] = []
    at_ms = 0
    for word in words:
        # The token limit can cut a character in two.
        text = word.text.replace("\ufffd", "").strip()
        if not text:
            continue
        start_ms = _within(word.start_s, at_ms, duration_ms)
        at_ms = _within(word.end_s, start_ms, duration_ms)
        cleaned.append(HypothesisWord(text, start_ms, at_ms, _probability(word.probability)))
    if not cleaned:
        return Hypothesis((), None, _probability(no_speech_prob))
    return Hypothesis(
        tuple(cleaned),
        min(float(avg_logprob), 0.0) if math.isfinite(avg_logprob) else _BROKEN_AVG_LOGPROB,
        _probability(no_speech_prob),
    )


def as_engine_failed(engine: str, doing: str) -> AbstractContextManager[None]:
    """Raises what a library raises inside as EngineFailed, as OutOfMemory when it had no room.

    Args:
        doing: what was being done, for the message: "load its model".
    """
    return runtime_failures.as_engine_failed("speech engine", engine, doing)


def closed(engine: str) -> EngineFailed:
    """For a decode that was asked for after the end."""
    return EngineFailed(
        f"the speech engine {engine} is closed: its model was replaced", engine=engine
    )


def no_such_device(engine: str, device: str) -> EngineFailed:
    """For a device that was asked for by name and is not there."""
    return EngineFailed(
        f"the speech engine {engine} is told to use {device} and finds none; set "
        "GLOSSA_STT_DEVICE to auto or cpu, or mend the driver",
        engine=engine,
        device=device,
    )


def no_such_compute_type(engine: str, asked: str, choices: Iterable[str]) -> EngineFailed:
    """For a number format that was asked for by name and that the device does not have."""
    return EngineFailed(
        f"the speech engine {engine} cannot compute in {asked} here; set GLOSSA_STT_COMPUTE_TYPE "
        f"to auto or one of: {', '.join(sorted(choices))}",
        engine=engine,
        compute_type=asked,
    )


def _plain(text: str) -> str:
    """The text as tokenizers can take it: one line, no control tokens, no half characters."""
    for mark in _CONTROL_MARKS:
        text = text.replace(mark, " ")
    return " ".join(text.encode(errors="replace").decode().split())


def _within(time_s: float, earliest_ms: int, latest_ms: int) -> int:
    if not math.isfinite(time_s):
        return earliest_ms
    return min(max(round(float(time_s) * 1000), earliest_ms), latest_ms)


def _probability(value: float) -> float | None:
    return min(max(float(value), 0.0), 1.0) if math.isfinite(value) else None
