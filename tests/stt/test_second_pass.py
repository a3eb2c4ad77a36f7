"""A doubtful final is decoded once more, and the better decode is shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from services.errors import EngineFailed
from services.stt import session
from services.stt.engine import Decoding, HypothesisWord, Samples
from services.stt.finals import SECOND_PASSES, SECOND_TEMPERATURE
from services.stt.segment import RecentAudio
from services.stt.tiers import Tiers
from tests.stt.scripted import (
    Manner,
    Script,
    finals,
    scripted,
    settings,
    silence_ms,
    suppressed,
    transcribe,
)

TEXT = "we are saved by grace"


def by_temperature(cold: float, warm: float) -> Callable[[Decoding], float]:
    return lambda decoding: warm if decoding.temperature else cold


def count(outcome: str) -> float:
    return SECOND_PASSES.labels(outcome)._value.get()


async def events_of(script: Script, final: Manner, fallback: Manner | None = None) -> list[object]:
    manners = {"final": final} if fallback is None else {"final": final, "fallback": fallback}
    named = {"fallback_model": "fallback"} if fallback is not None else {}
    pcm = [(0, script.say(TEXT)), (100_000, silence_ms(1000))]
    with scripted(**manners):
        async with Tiers(settings(**named)).loaded() as tiers:
            return await transcribe(tiers, pcm, partial_results=False)


async def test_a_good_final_is_decoded_once() -> None:
    script = Script()
    manner = Manner(script)
    (final,) = finals(await events_of(script, manner))
    assert final.flags == ()
    assert [decoding.temperature for _, decoding in manner.decodings] == [0.0] * 3


async def test_a_doubtful_final_is_decoded_again_at_a_temperature() -> None:
    script = Script()
    before = count("better")
    manner = Manner(script, avg_logprob=by_temperature(-0.7, -0.2))
    (final,) = finals(await events_of(script, manner))
    assert final.flags == ("second_pass",)
    assert final.avg_logprob == -0.2
    assert manner.decodings[-1][1].temperature == SECOND_TEMPERATURE
    assert count("better") == before + 1


async def test_a_final_that_would_be_suppressed_is_saved_by_the_second_pass() -> None:
    script = Script()

    def hear(words: list[HypothesisWord], decoding: Decoding) -> list[HypothesisWord]:
        return words if decoding.temperature else words[:1] * 40

    (final,) = finals(await events_of(script, Manner(script, hear=hear)))
    assert (final.text, final.flags) == (TEXT, ("second_pass",))


async def test_the_first_pass_stays_when_the_second_is_no_better() -> None:
    script = Script()
    before = count("no_better")
    manner = Manner(script, avg_logprob=by_temperature(-0.7, -0.8))
    (final,) = finals(await events_of(script, manner))
    assert (final.flags, final.avg_logprob) == (("low_confidence",), -0.7)
    assert count("no_better") == before + 1


async def test_both_refused_is_suppressed_with_its_text() -> None:
    script = Script()
    manner = Manner(script, avg_logprob=by_temperature(-2.0, -1.5))
    (one,) = suppressed(await events_of(script, manner))
    assert (one.reason, one.text) == ("low_confidence", TEXT)


async def test_the_second_pass_is_not_told_the_context_that_may_have_misled_the_first() -> None:
    script = Script()

    def hear(words: list[HypothesisWord], decoding: Decoding) -> list[HypothesisWord]:
        return words[:1] * 40 if decoding.previous_text else words

    pause = silence_ms(900)
    pcm = np.concatenate([script.say("in the beginning"), pause, script.say(TEXT), pause])
    with scripted(final=Manner(script, hear=hear)):
        async with Tiers(settings()).loaded() as tiers:
            _, final = finals(await transcribe(tiers, pcm, partial_results=False))
    assert (final.text, final.flags) == (TEXT, ("second_pass",))


class Hurried:
    """A clock for which audio that comes at any speed comes slowly."""

    @staticmethod
    def monotonic() -> float:
        return 1000 * time.monotonic()


@pytest.mark.parametrize(
    ("clock", "temperature"),
    [(Hurried, 0.0), (time, SECOND_TEMPERATURE)],
    ids=["live", "a recording"],
)
async def test_a_speaker_whose_next_segment_waits_gets_no_second_pass(
    monkeypatch: pytest.MonkeyPatch, clock: object, temperature: float
) -> None:
    script = Script()
    texts = ("one and", "two and", "three and", "four and", "five and")
    segments = [np.concatenate([script.say(text), silence_ms(900)]) for text in texts]
    fourth_sample = sum(map(len, segments[:3]))
    others_wait = threading.Event()

    class Watched(RecentAudio):
        def append(self, first_sample: int, window: Samples) -> None:
            super().append(first_sample, window)
            if first_sample > fourth_sample:
                others_wait.set()

    def hear(words: list[HypothesisWord], _: Decoding) -> list[HypothesisWord]:
        if words and words[0].text == "one":
            assert others_wait.wait(20)
        return words

    monkeypatch.setattr(session, "RecentAudio", Watched)
    monkeypatch.setattr(session, "time", clock)
    manner = Manner(script, hear=hear, avg_logprob=lambda _: -0.7)
    with scripted(final=manner):
        async with Tiers(settings()).loaded() as tiers:
            pcm = np.concatenate(segments)
            events = await transcribe(tiers, pcm, partial_results=False, speed=0)
    assert [final.text for final in finals(events)] == list(texts)
    warm_ups = settings().final_workers
    _, decoding_after_the_first = manner.decodings[warm_ups + 1]
    assert decoding_after_the_first.temperature == temperature


async def test_the_fallback_model_is_asked_and_named() -> None:
    script = Script()
    final_manner = Manner(script, avg_logprob=lambda _: -0.7)
    fallback = Manner(script, avg_logprob=lambda _: -0.2)
    (final,) = finals(await events_of(script, final_manner, fallback))
    assert final.model == "scripted/fallback"
    assert final.flags == ("second_pass",)
    assert fallback.decodings[-1][1].temperature == 0.0


async def test_a_fallback_model_that_does_not_know_the_language_is_not_asked() -> None:
    script = Script()
    final_manner = Manner(script, avg_logprob=by_temperature(-0.7, -0.2))
    fallback = Manner(script, languages=("es",))
    (final,) = finals(await events_of(script, final_manner, fallback))
    assert final.model == "scripted/final"
    assert len(fallback.decodings) == 1  # the warm-up


async def test_an_engine_without_temperatures_is_not_asked_again() -> None:
    script = Script()
    manner = Manner(script, avg_logprob=lambda _: -0.7, uses_temperature=False)
    (final,) = finals(await events_of(script, manner))
    assert final.flags == ("low_confidence",)
    assert len(manner.decodings) == 3


async def test_the_first_pass_is_shown_when_the_second_fails() -> None:
    script = Script()
    before = count("failed")

    def hear(words: list[HypothesisWord], decoding: Decoding) -> list[HypothesisWord]:
        if decoding.temperature:
            raise EngineFailed("it broke")
        return words

    manner = Manner(script, avg_logprob=lambda _: -0.7, hear=hear)
    (final,) = finals(await events_of(script, manner))
    assert final.flags == ("low_confidence",)
    assert count("failed") == before + 1


@pytest.mark.parametrize("no_speech_prob", [0.1, 0.99])
async def test_an_engine_that_doubts_the_speech_alone_is_flagged_and_not_refused(
    no_speech_prob: float,
) -> None:
    script = Script()
    manner = Manner(script, no_speech_prob=no_speech_prob, uses_temperature=False)
    (final,) = finals(await events_of(script, manner))
    assert ("no_speech" in final.flags) == (no_speech_prob > 0.3)
