"""A session that begins anew: what was open comes to nothing, what was said explains nothing."""

from __future__ import annotations

import pytest

from glossa.gateway.v1 import gateway_pb2
from tests.gateway.conftest import Stack, Talk
from tests.gateway.peers import SPEECH_SAMPLES, sentence, sermon
from tests.gateway.test_sessions import of_kind, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


def contexts(events: list[gateway_pb2.JournalEvent]) -> dict[int, list[str]]:
    """The sources of the pairs that mt was given with each final."""
    return {
        translation.segment_id: [
            term.source
            for term in translation.glossary_terms
            if term.source not in ("committed_text", "previous_text")
        ]
        for translation in of_kind(events, "translation")
    }


async def test_an_open_segment_comes_to_nothing_and_its_audio_is_a_gap(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    begun = talk.position
    following = stack.journal.Follow(
        gateway_pb2.FollowRequest(session_id=talk.session_id, live=True), timeout=20
    )
    while not (await following.read()).HasField("caught_up"):
        pass
    await talk.say(sermon([2])[:SPEECH_SAMPLES])
    while (await following.read()).live.transcript.segment_id != 2:
        pass
    sequence = await talk.reset()
    while not (response := await following.read()).live.HasField("segment_dropped"):
        pass
    assert response.live.segment_dropped.segment_id == 2
    following.cancel()
    reset_at = talk.position
    await talk.say(sermon([3]))
    events = await talk.end()
    assert said(events) == [sentence(1), sentence(3)]
    assert [final.segment_id for final in of_kind(events, "transcript")] == [1, 2]
    (event,) = (event for event in events if event.HasField("session_reset"))
    assert (event.sequence, event.session_reset.segment_id) == (sequence, 1)
    assert event.session_reset.author == "operator"
    gaps = [(g.first_sample, g.next_sample, g.reason) for g in of_kind(events, "audio_gap")]
    assert gaps == [(begun, reset_at, "RESET")]


async def test_what_was_said_before_is_no_context_any_more(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    for number in (1, 2):
        await talk.say(sermon([number]))
        await talk.until(lambda events, n=number: len(of_kind(events, "translation")) == n)
    await talk.reset()
    for number in (3, 4):
        await talk.say(sermon([number]))
        await talk.until(lambda events, n=number: len(of_kind(events, "translation")) == n)
    assert contexts(await talk.end()) == {1: [], 2: [sentence(1)], 3: [], 4: [sentence(3)]}


async def test_a_held_session_that_begins_anew_stays_held(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    held_from = talk.position
    await talk.hold()
    await talk.say(sermon([2]))
    await talk.reset()
    await talk.say(sermon([3]))
    held_until = talk.position
    await talk.hold(False)
    await talk.say(sermon([4]))
    events = await talk.end()
    assert said(events)[-1] == sentence(4)
    assert not {sentence(2), sentence(3)} & set(said(events))
    held = [gap for gap in of_kind(events, "audio_gap") if gap.reason == "HELD"]
    assert [(gap.first_sample, gap.next_sample) for gap in held] == [(held_from, held_until)]


async def test_again_and_again_it_loses_nothing_that_was_final(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    for number in range(1, 7):
        await talk.say(sermon([number]))
        await talk.finals(number)
        await talk.say(sermon([number + 100])[:SPEECH_SAMPLES])
        await talk.reset()
    events = await talk.end()
    assert said(events) == [sentence(number) for number in range(1, 7)]
    assert [each.segment_id for each in of_kind(events, "session_reset")] == list(range(1, 7))
