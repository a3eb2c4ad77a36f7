"""What a session promises: every final once, whatever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import grpc
import pytest

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.errors import reason_of
from tests.gateway.conftest import Stack, audio, drained, open_stream, received
from tests.gateway.peers import (
    POISON_SENTENCE,
    REFUSED_SENTENCE,
    SILENT_SENTENCE,
    UNSCORABLE_SENTENCE,
    sentence,
    sermon,
)
from tests.speech import chunks

pytestmark = pytest.mark.asyncio(loop_scope="module")

StartStack = Callable[..., Awaitable[Stack]]
Events = Sequence[gateway_pb2.JournalEvent]


def of_kind(events: Events, kind: str) -> list:
    return [getattr(event, kind) for event in events if event.WhichOneof("event") == kind]


def said(events: Events) -> list[str]:
    return [transcript.stable_text for transcript in of_kind(events, "transcript")]


async def test_each_sentence_is_journalled_translated_and_scored_once(stack: Stack) -> None:
    session_id = await stack.speak(sermon(range(1, 6)), target_languages=["es", "fr"])
    events = await stack.scored_events(session_id, 10)
    assert said(events) == [sentence(number) for number in range(1, 6)]
    assert [t.segment_id for t in of_kind(events, "transcript")] == [1, 2, 3, 4, 5]
    translations = of_kind(events, "translation")
    assert sorted((t.segment_id, t.language, t.text) for t in translations) == sorted(
        (n, language, f"[{language}] {sentence(n)}")
        for n in range(1, 6)
        for language in ("es", "fr")
    )
    pairs = of_kind(events, "pair_scored")
    assert {(p.transcript.segment_id, p.translation.language) for p in pairs} == {
        (n, language) for n in range(1, 6) for language in ("es", "fr")
    }
    assert all(p.signals[0].name == "length_ratio" for p in pairs)
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))
    (ended,) = of_kind(events, "session_ended")
    assert (ended.final_count, ended.untranslated_count) == (5, 0)
    assert ended.reason == gateway_pb2.END_REASON_FINISHED


async def test_two_sessions_at_once_do_not_mix(stack: Stack) -> None:
    first, second = await asyncio.gather(
        stack.speak(sermon(range(1, 9))), stack.speak(sermon(range(101, 109)))
    )
    assert said(await stack.events(first)) == [sentence(n) for n in range(1, 9)]
    assert said(await stack.events(second)) == [sentence(n) for n in range(101, 109)]
    everything = await stack.events()
    assert {event.session_id for event in everything} >= {first, second}


async def test_a_follower_resumes_with_exactly_what_it_missed(stack: Stack) -> None:
    session_id = await stack.speak(sermon(range(1, 5)))
    everything = await stack.scored_events(session_id, 4)
    for position in (0, 3, len(everything) - 1):
        missed = await stack.events(session_id, after=everything[position].sequence)
        assert missed == everything[position + 1 :]


async def test_a_sequence_of_another_journal_is_refused(stack: Stack) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stack.events(after=10_000)
    assert failure.value.code() == grpc.StatusCode.OUT_OF_RANGE
    assert reason_of(failure.value) == "SEQUENCE_AHEAD"


async def test_partials_and_drafts_come_live_before_the_final(stack: Stack) -> None:
    call = stack.calls.StreamAudio(timeout=30)
    session_id = (await open_stream(call)).session_id
    following = stack.journal.Follow(
        gateway_pb2.FollowRequest(session_id=session_id, live=True), timeout=30
    )
    while not (await following.read()).HasField("caught_up"):
        pass
    for first_sample, data in chunks(sermon([7])[:4_800]):
        await call.write(audio(first_sample, data))
    seen = set()
    while (response := await following.read()) is not grpc.aio.EOF:
        if response.HasField("live"):
            seen.add(response.live.WhichOneof("update"))
            assert response.live.transcript.is_final is False
        if {"transcript", "translation"} <= seen:
            break
    call.cancel()
    following.cancel()


@pytest.mark.parametrize("victim", ["stt", "mt", "qe"])
async def test_a_model_killed_mid_sermon_costs_no_final_and_no_score(
    stack: Stack, victim: str
) -> None:
    numbers = range(1, 13)
    call = stack.calls.StreamAudio(timeout=60)
    session_id = (await open_stream(call)).session_id
    pieces = list(chunks(sermon(numbers)))
    for position, (first_sample, data) in enumerate(pieces):
        if position in (len(pieces) // 3, 2 * len(pieces) // 3):
            stack.peers[victim].kill()
        if position in (len(pieces) // 2, 3 * len(pieces) // 4):
            stack.peers[victim].start()
        await call.write(audio(first_sample, data))
        await asyncio.sleep(0.01)
    await call.done_writing()
    assert (await drained(call))[-1].HasField("session_closed")
    events = await stack.scored_events(session_id, len(numbers))
    assert said(events) == [sentence(number) for number in numbers]
    assert len(of_kind(events, "translation")) == len(numbers)
    assert len(of_kind(events, "pair_scored")) == len(numbers)


async def test_a_killed_gateway_loses_no_final(stack: Stack) -> None:
    numbers = range(1, 13)
    pcm = sermon(numbers)
    session_id, safe_sample = "", 0
    for attempt, share in enumerate((0.3, 0.6, 1.0)):
        call = stack.calls.StreamAudio(timeout=60)
        opened = await open_stream(call, session_id=session_id)
        session_id = session_id or opened.session_id
        assert opened.session_id == session_id
        assert opened.next_sample >= safe_sample, "audio that was called safe is asked for again"
        end = int(len(pcm) * share)
        for first_sample, data in chunks(pcm[opened.next_sample : end]):
            await call.write(audio(opened.next_sample + first_sample, data))
        if attempt == 2:
            await call.done_writing()
        while (answer := await call.read()) is not grpc.aio.EOF:
            if answer.HasField("receipt"):
                safe_sample = answer.receipt.safe_sample
                if attempt < 2 and answer.receipt.received_sample == end:
                    stack.gateway.kill()
                    break
            if answer.HasField("session_closed"):
                break
        call.cancel()
        if attempt < 2:
            stack.gateway.start()
            await stack.gateway.wait_ready()
    events = await stack.scored_events(session_id, len(numbers))
    assert said(events) == [sentence(number) for number in numbers]
    assert [t.segment_id for t in of_kind(events, "transcript")] == list(numbers)


async def test_a_killed_speaker_does_not_end_its_session(stack: Stack) -> None:
    """gRPC shows a broken connection first as an ended stream; that is no half-close."""
    pcm = sermon(range(1, 7))
    half = len(pcm) // 2
    async with grpc.aio.insecure_channel(stack.gateway.address) as channel:
        call = gateway_pb2_grpc.GatewayServiceStub(channel).StreamAudio()
        session_id = (await open_stream(call)).session_id
        for first_sample, data in chunks(pcm[:half]):
            await call.write(audio(first_sample, data))
    call = stack.calls.StreamAudio(timeout=30)
    opened = await open_stream(call, session_id=session_id)
    for first_sample, data in chunks(pcm[opened.next_sample :]):
        await call.write(audio(opened.next_sample + first_sample, data))
    await call.done_writing()
    await drained(call)
    events = await stack.scored_events(session_id, 6)
    assert said(events) == [sentence(number) for number in range(1, 7)]


async def test_a_text_that_mt_refuses_is_journalled_as_such(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1, REFUSED_SENTENCE, 3]))
    events = await stack.scored_events(session_id, 2)
    (failed,) = of_kind(events, "translation_failed")
    assert (failed.segment_id, failed.language, failed.reason) == (2, "es", "TEXT_TOO_LONG")
    (ended,) = of_kind(events, "session_ended")
    assert (ended.final_count, ended.untranslated_count) == (3, 1)


@pytest.mark.parametrize(
    ("number", "reason"),
    [(POISON_SENTENCE, "ENGINE_FAILED"), (SILENT_SENTENCE, "MT_ENDED_EARLY")],
)
async def test_texts_that_break_the_engine_are_given_up_and_the_rest_goes_on(
    stack: Stack, number: int, reason: str
) -> None:
    """More of them than calls fit in flight: they do not keep the others from their turn."""
    numbers = [number, 1] * 6
    session_id = await stack.speak(sermon(numbers))
    events = await stack.scored_events(session_id, 6)
    failed = of_kind(events, "translation_failed")
    assert [failure.reason for failure in failed] == [reason] * 6


async def test_a_pair_that_cannot_be_scored_counts_as_one_without_signals(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1, UNSCORABLE_SENTENCE, 3]))
    pairs = of_kind(await stack.scored_events(session_id, 3), "pair_scored")
    signal_counts = {pair.transcript.segment_id: len(pair.signals) for pair in pairs}
    assert signal_counts == {1: 6, 2: 0, 3: 6}


async def test_models_away_at_start_are_waited_for(own_stack: StartStack) -> None:
    stack = await own_stack()
    for peer in stack.peers.values():
        peer.kill()
    speaking = asyncio.create_task(stack.speak(sermon([1, 2])))
    await asyncio.sleep(0)
    for peer in stack.peers.values():
        peer.start()
    session_id = await speaking
    assert len(of_kind(await stack.scored_events(session_id, 2), "transcript")) == 2


async def test_a_session_whose_speaker_stays_away_is_ended(own_stack: StartStack) -> None:
    stack = await own_stack(resume_window_s=0.3)
    call = stack.calls.StreamAudio()
    session_id = (await open_stream(call)).session_id
    for first_sample, data in chunks(sermon([5])[:4_800]):
        await call.write(audio(first_sample, data))
    await received(call, 4_800)
    call.cancel()
    events = await stack.scored_events(session_id, 1)
    (ended,) = of_kind(events, "session_ended")
    assert ended.reason == gateway_pb2.END_REASON_ABANDONED
    assert said(events) == [sentence(5)]
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stack.calls.EndSession(gateway_pb2.EndSessionRequest(session_id=session_id))
    assert reason_of(failure.value) == "SESSION_ENDED"


async def test_a_correction_is_journalled_with_a_greater_revision(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1, 2]))
    request = gateway_pb2.CorrectSegmentRequest(
        session_id=session_id, segment_id=2, language="es", text="Corregido", author="operator"
    )
    await stack.calls.CorrectSegment(request)
    request.text = "Corregido otra vez"
    await stack.calls.CorrectSegment(request)
    events = await stack.events(session_id)
    translated = next(t for t in of_kind(events, "translation") if t.segment_id == 2)
    first, second = of_kind(events, "correction")
    assert translated.revision < first.revision < second.revision
    assert second.text == "Corregido otra vez"
    request.segment_id = 99
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stack.calls.CorrectSegment(request)
    assert reason_of(failure.value) == "UNKNOWN_SEGMENT"


async def test_stored_audio_is_fetched_by_sample_and_unstored_audio_is_refused(
    stack: Stack,
) -> None:
    pcm = sermon([1, 2, 3])
    session_id = await stack.speak(pcm, store_audio=True)
    request = gateway_pb2.FetchAudioRequest(
        session_id=session_id, first_sample=1_000, end_sample=20_000
    )
    pieces = [piece async for piece in stack.journal.FetchAudio(request, timeout=10)]
    assert b"".join(piece.audio.data for piece in pieces) == pcm[1_000:20_000].tobytes()
    other = await stack.speak(pcm)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        async for _ in stack.journal.FetchAudio(
            gateway_pb2.FetchAudioRequest(session_id=other), timeout=10
        ):
            pass
    assert reason_of(failure.value) == "AUDIO_NOT_STORED"


async def test_sessions_are_listed_newest_first(stack: Stack) -> None:
    first = await stack.speak(sermon([1]), title="Morning")
    second = await stack.speak(sermon([2]), title="Evening")
    answer = await stack.calls.ListSessions(gateway_pb2.ListSessionsRequest())
    assert [(s.session_id, s.title, s.final_count) for s in answer.sessions[:2]] == [
        (second, "Evening", 1),
        (first, "Morning", 1),
    ]
    assert all(s.HasField("end_time") for s in answer.sessions[:2])


async def test_sigterm_sends_speakers_and_followers_away_to_resume(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    call = stack.calls.StreamAudio()
    await open_stream(call)
    following = stack.journal.Follow(gateway_pb2.FollowRequest())
    assert (await following.read()).event.session_started.config.source_language == "en"
    stopping = asyncio.to_thread(stack.gateway.stop)
    status = await stopping
    assert status == 0
    for broken in (call, following):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await drained(broken)
        assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
        assert reason_of(failure.value) == "SHUTTING_DOWN"
