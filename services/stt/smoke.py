"""Tries a model before it is taken into use. It cannot tell a good model from a poor one."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from services.audio import SAMPLE_RATE_HERTZ, samples_to_ms
from services.errors import EngineFailed, OutOfMemory, WrongState
from services.stt.engine import Decoding, Hypothesis, Samples
from services.stt.recogniser import Recogniser

_CLIP_S = 2.0
_SYLLABLES_PER_SECOND = 4.0


def smoke_clip() -> Samples:
    """Quiet noise that swells like syllables: the same samples each time."""
    times_s = np.arange(int(_CLIP_S * SAMPLE_RATE_HERTZ)) / SAMPLE_RATE_HERTZ
    noise = np.random.default_rng(0).normal(0, 0.02, len(times_s))
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * _SYLLABLES_PER_SECOND * times_s)
    return (noise * swell).astype(np.float32)


async def warm_up(recogniser: Recogniser, final_workers: int) -> None:
    """Decodes once for each worker, so that the first final is as fast as the others."""
    language = recogniser.capabilities.languages[0]
    for _ in range(final_workers):
        await recogniser.transcribe(smoke_clip(), Decoding(language))


async def smoke_test(recogniser: Recogniser, languages: Iterable[str]) -> None:
    """Decodes the clip twice in each language: the answers must be sound and the same.

    Args:
        languages: those being spoken; the model's first when there are none.

    Raises:
        WrongState: SMOKE_TEST_FAILED, saying what was wrong; another try would not help.
        OutOfMemory: there is room for the model and none for decoding.
    """
    clip = smoke_clip()
    for language in tuple(languages) or recogniser.capabilities.languages[:1]:
        try:
            decodes = [await recogniser.transcribe(clip, Decoding(language)) for _ in range(2)]
        except OutOfMemory:
            raise
        except EngineFailed as error:
            raise _failed(recogniser, f"could not decode: {error.message}") from error
        first, second = (decode.hypothesis for decode in decodes)
        problem = _problem(first, samples_to_ms(len(clip)))
        if problem is None and first.text != second.text:
            problem = "gave two answers for the same samples"
        if problem is not None:
            raise _failed(recogniser, problem)


def _problem(hypothesis: Hypothesis, duration_ms: int) -> str | None:
    """What breaks the contract of an engine; None when nothing does."""
    # NaN, of weights that do not fit their configuration, fails each comparison.
    if hypothesis.avg_logprob is not None and not hypothesis.avg_logprob <= 0:
        return f"gave a mean log probability of {hypothesis.avg_logprob}"
    for word in hypothesis.words:
        if word.probability is not None and not 0 <= word.probability <= 1:
            return f"gave a word a probability of {word.probability}"
        if not 0 <= word.start_ms <= word.end_ms <= duration_ms:
            return f"placed a word outside the samples, at {word.start_ms} to {word.end_ms} ms"
    if any(later.start_ms < earlier.start_ms for earlier, later in pairwise(hypothesis.words)):
        return "gave words out of order"
    return None


def _failed(recogniser: Recogniser, problem: str) -> WrongState:
    return WrongState(
        "SMOKE_TEST_FAILED",
        f"{recogniser.label} {problem}; the model before it stays in use",
        model=recogniser.label,
    )
