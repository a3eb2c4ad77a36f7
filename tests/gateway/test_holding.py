"""A session that is held: nothing of a prayer is written, and nothing else is lost."""

from __future__ import annotations

import asyncio
import itertools

import grpc
import numpy as np
import pytest

from glossa.gateway.v1 import gateway_pb2
from services.audio import BYTES_PER_SAMPLE
from services.errors import reason_of
from tests.gateway.conftest import Stack, Talk
from tests.gateway.peers import SPEECH_SAMPLES, sentence, sermon
from tests.gateway.test_sessions import StartStack, of_kind, said

pytestmark = pytest.mark.asyncio(loop_scope="module")

Event = gateway_pb2.JournalEvent


def held_gaps(events: list[Event]) -> list[tuple[int, int]]:
    gaps = of_kind(events, "audio_gap")
    assert {gap.reason for gap in gaps} <= {"HELD"}
    return [(gap.first_sample, gap.next_sample) for gap in gaps]


async def is_listed_as_held(stack: Stack, session_id: str) -> bool:
    answer = await stack.calls.ListSessions(gateway_pb2.ListSessionsRequest())
    return next(each.is_held for each in answer.sessions if each.session_id == session_id)


async def test_what_was_said_before_a_hold_becomes_a_final_at_once(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    await talk.say(sermon([1])[:SPEECH_SAMPLES])  # the segment is open: no silence came
    await talk.hold()
    assert said(await talk.finals(1)) == [sentence(1)]
    assert await is_listed_as_held(stack, talk.session_id)
    await talk.end()


async def test_held_audio_is_counted_and_neither_recognised_nor_stored(stack: Stack) -> None:
    talk = await Talk.begun(stack, store_audio=True)
    await talk.say(sermon([1]))
    held_from = talk.position
    await talk.hold()
    await talk.say(sermon([2]))
    held_until = talk.position
    await talk.hold(False)
    await talk.say(sermon([3]))
    events = await talk.end()
    assert said(events) == [sentence(1), sentence(3)]
    assert [final.segment_id for final in of_kind(events, "transcript")] == [1, 2]
    assert held_gaps(events) == [(held_from, held_until)]
    assert [each.is_held for each in of_kind(events, "session_held")] == [True, False]
    (second,) = (final for final in of_kind(events, "transcript") if final.segment_id == 2)
    assert second.start_offset_ms == held_until // 16
    request = gateway_pb2.FetchAudioRequest(session_id=talk.session_id)
    stored = b"".join(
        [piece.audio.data async for piece in stack.journal.FetchAudio(request, timeout=10)]
    )
    assert len(stored) == talk.position * BYTES_PER_SAMPLE
    assert not any(stored[held_from * BYTES_PER_SAMPLE : held_until * BYTES_PER_SAMPLE])


async def test_a_speaker_may_let_go_of_held_audio_while_the_hold_lasts(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    await talk.hold()
    await talk.say(sermon([2]))
    await talk.safe(talk.position)
    await talk.end()


async def test_holding_and_going_on_again_and_again_loses_and_doubles_nothing(
    stack: Stack,
) -> None:
    """Each hold cuts a sentence short: no silence comes before it, nor after it."""
    talk = await Talk.begun(stack)
    for number in range(1, 9):
        await talk.say(sermon([number])[:SPEECH_SAMPLES])
        await talk.hold()
        await talk.say(sermon([number + 100])[:SPEECH_SAMPLES])
        await talk.hold(False)
    events = await talk.end()
    assert said(events) == [sentence(number) for number in range(1, 9)]
    assert [final.segment_id for final in of_kind(events, "transcript")] == list(range(1, 9))
    assert held_gaps(events) == [
        ((2 * n + 1) * SPEECH_SAMPLES, (2 * n + 2) * SPEECH_SAMPLES) for n in range(8)
    ]


async def test_asked_for_what_is_so_already_it_answers_with_the_event_that_says_so(
    stack: Stack,
) -> None:
    talk = await Talk.begun(stack)
    assert await talk.hold(False) == 0
    held = await talk.hold()
    assert await talk.hold() == held
    went_on = await talk.hold(False)
    assert await talk.hold(False) == went_on > held
    events = await talk.end()
    assert len(of_kind(events, "session_held")) == 2
    assert held_gaps(events) == []  # nothing was said meanwhile


async def test_a_held_session_stays_held_when_the_gateway_is_killed(own_stack: StartStack) -> None:
    stack = await own_stack()
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    held_from = talk.position
    await talk.hold()
    await talk.say(sermon([2]))
    await talk.safe(talk.position)
    stack.gateway.kill()
    stack.gateway.start()
    await stack.gateway.wait_ready()
    assert await is_listed_as_held(stack, talk.session_id)
    assert await talk.resume() > held_from
    await talk.say(sermon([3]))
    held_until = talk.position
    await talk.hold(False)
    await talk.say(sermon([4]))
    events = await talk.end()
    assert said(events) == [sentence(1), sentence(4)]
    assert held_gaps(events) == [(held_from, held_until)]


async def test_held_audio_that_is_sent_again_after_a_crash_is_thrown_away_again(
    own_stack: StartStack,
) -> None:
    """stt is away, so nothing is settled: the speaker sends everything again, held or not."""
    stack = await own_stack()
    talk = await Talk.begun(stack)
    stack.peers["stt"].kill()
    whole = []
    for number, is_held in ((1, False), (2, True), (3, False), (4, True)):
        if is_held:
            await talk.hold()
        whole.append(sermon([number]))
        await talk.say(whole[-1])
        if number == 2:
            await talk.hold(False)
    stack.gateway.kill()
    stack.gateway.start()
    stack.peers["stt"].start()
    await stack.gateway.wait_ready()
    assert await talk.resume() == 0
    await talk.say(np.concatenate(whole))
    await talk.hold(False)
    await talk.say(sermon([5]))
    events = await talk.end()
    assert said(events) == [sentence(1), sentence(3), sentence(5)]
    ends = list(itertools.accumulate(len(piece) for piece in whole))
    assert held_gaps(events) == [(ends[0], ends[1]), (ends[2], ends[3])]


async def test_an_end_while_held_leaves_the_gap_before_it(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    await talk.say(sermon([1]))
    held_from = talk.position
    await talk.hold()
    await talk.say(sermon([2]))
    events = await talk.end()
    assert said(events) == [sentence(1)]
    assert held_gaps(events) == [(held_from, talk.position)]
    assert [event.WhichOneof("event") for event in events][-1] in ("session_ended", "pair_scored")
    (ended,) = of_kind(events, "session_ended")
    assert ended.received_sample == talk.position
    assert not await is_listed_as_held(stack, talk.session_id)


async def test_a_caller_that_leaves_does_not_undo_the_hold(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    request = gateway_pb2.HoldSessionRequest(session_id=talk.session_id, is_held=True)
    call = stack.calls.HoldSession(request)
    await talk.say(sermon([1])[:1_600])
    call.cancel()
    sequence = await talk.hold()
    (event,) = (e for e in await stack.events(talk.session_id) if e.sequence == sequence)
    assert event.session_held.is_held
    await talk.say(sermon([2]))
    assert sentence(2) not in said(await talk.end())


@pytest.mark.parametrize("method", ["HoldSession", "ResetSession"])
async def test_what_is_not_there_or_over_is_refused(stack: Stack, method: str) -> None:
    request = getattr(gateway_pb2, f"{method}Request")
    ended = await stack.speak(sermon([1]))
    for session_id, reason in (("nobody", "UNKNOWN_SESSION"), (ended, "SESSION_ENDED")):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await getattr(stack.calls, method)(request(session_id=session_id), timeout=10)
        assert reason_of(failure.value) == reason


async def test_two_operators_at_once_leave_one_hold(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    assert len(set(await asyncio.gather(*(talk.hold() for _ in range(8))))) == 1
    events = await talk.end()
    assert len(of_kind(events, "session_held")) == 1
