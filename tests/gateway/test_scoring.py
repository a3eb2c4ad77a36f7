"""What qe is given of a final beside its texts."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.gateway.conftest import Stack, audio, drained, open_stream
from tests.gateway.peers import (
    HELD_BACK_SENTENCE,
    KEPT_TERM,
    LOST_TERM,
    SILENCE_SAMPLES,
    TERM_SENTENCE,
    UNSETTLED_SENTENCE,
    sentence,
    sermon,
)
from tests.gateway.test_alternatives import alternatives
from tests.gateway.test_sessions import StartStack, of_kind
from tests.gateway.test_translations import CHUNK_INTERVAL_S
from tests.speech import chunks

pytestmark = pytest.mark.asyncio(loop_scope="module")

WORD_SAMPLES = 1_600


async def given(stack: Stack, session_id: str, language: str = "es") -> dict[str, str]:
    """What qe was given for the session's one final in a language."""
    languages = (await stack.events(session_id))[0].session_started.config.target_languages
    events = await stack.scored_events(session_id, len(languages))
    (pair,) = [
        pair for pair in of_kind(events, "pair_scored") if pair.translation.language == language
    ]
    return {
        signal.name.removeprefix("given_"): signal.model
        for signal in pair.signals
        if signal.name.startswith("given_")
    }


async def speak_slowly(stack: Stack, number: int, *, words: int) -> str:
    """A sentence, so slow that each partial is drafted, with partials of so many words."""
    speech = np.full(words * WORD_SAMPLES, number, dtype=np.int16)
    pcm = np.concatenate([speech, np.zeros(SILENCE_SAMPLES * 2, dtype=np.int16)])
    call = stack.calls.StreamAudio(timeout=60)
    session_id = (await open_stream(call, target_languages=["es", "fr"])).session_id
    for first_sample, data in chunks(pcm):
        await call.write(audio(first_sample, data))
        await asyncio.sleep(CHUNK_INTERVAL_S)
    await call.done_writing()
    await drained(call)
    return session_id


async def test_the_model_of_the_translation_is_named(stack: Stack) -> None:
    told = await given(stack, await stack.speak(sermon([1])))
    assert told["target_model"] == "rule/bracket"
    assert told["independent_text"] == told["independent_model"] == ""
    assert told["required"] == told["missing"] == ""


async def test_terms_that_mt_looked_for_are_journalled_and_passed_on(stack: Stack) -> None:
    session_id = await stack.speak(sermon([TERM_SENTENCE]))
    told = await given(stack, session_id)
    assert told["required"] == f"{KEPT_TERM.target} {LOST_TERM.target}"
    assert told["missing"] == LOST_TERM.target
    (translation,) = of_kind(await stack.events(session_id), "translation")
    assert list(translation.required_terms) == [KEPT_TERM, LOST_TERM]
    assert list(translation.missing_terms) == [LOST_TERM]


async def test_another_models_draft_of_the_same_text_goes_along(stack: Stack) -> None:
    session_id = await speak_slowly(stack, UNSETTLED_SENTENCE, words=4)
    told = await given(stack, session_id, "fr")
    assert told["independent_model"] == "rule/draft"
    assert told["independent_text"] == f"4 [fr] {sentence(UNSETTLED_SENTENCE)}"


async def test_a_draft_that_had_to_go_on_from_others_is_not_compared(stack: Stack) -> None:
    """What it begins with was translated before the sentence was whole."""
    session_id = await speak_slowly(stack, 5, words=4)
    assert (await given(stack, session_id, "fr"))["independent_model"] == ""


async def test_a_models_own_draft_does_not_speak_for_it(stack: Stack) -> None:
    session_id = await speak_slowly(stack, UNSETTLED_SENTENCE, words=4)
    assert (await given(stack, session_id, "es"))["independent_model"] == ""


async def test_a_draft_of_less_than_the_final_is_not_compared_with_it(stack: Stack) -> None:
    session_id = await speak_slowly(stack, UNSETTLED_SENTENCE, words=3)
    assert (await given(stack, session_id, "fr"))["independent_model"] == ""


async def test_a_draft_with_words_held_back_is_not_compared_with_a_whole(stack: Stack) -> None:
    session_id = await speak_slowly(stack, HELD_BACK_SENTENCE, words=4)
    assert (await given(stack, session_id, "fr"))["independent_model"] == ""


async def test_a_second_mts_translation_is_preferred_to_a_draft(own_stack: StartStack) -> None:
    stack = await own_stack(compared=True)
    stack.peers["qe"].kill()  # so that the second mt is there first
    session_id = await speak_slowly(stack, UNSETTLED_SENTENCE, words=4)
    await alternatives(stack, session_id, 2)
    stack.peers["qe"].start()
    told = await given(stack, session_id, "fr")
    assert told["independent_model"] == "rule/other"
    assert told["independent_text"] == f"[fr] {sentence(UNSETTLED_SENTENCE)}"
