"""What one speaker may take of the gateway; who keeps within it notices nothing of the others."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import grpc
import numpy as np
import psutil
import pytest

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.audio import SAMPLE_RATE_HERTZ
from services.errors import reason_of
from services.gateway.audio_limits import Pace
from services.serving import MAX_MESSAGE_BYTES
from tests.gateway.conftest import Stack, Talk, audio, drained, open_stream
from tests.gateway.peers import sentence, sermon
from tests.gateway.test_bad_input import config, refusal
from tests.gateway.test_degradation import logged
from tests.gateway.test_sessions import StartStack, of_kind, said
from tests.gateway.test_status import of_session, status, until
from tests.memory import MIB, growth_below

pytestmark = pytest.mark.asyncio(loop_scope="module")


def silent(duration_s: float) -> np.ndarray:
    return np.zeros(int(duration_s * SAMPLE_RATE_HERTZ), dtype=np.int16)


async def test_a_session_is_as_long_as_it_may_be_and_ends_at_the_next_sample(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(session_limit_s=4)
    talk = await Talk.begun(stack)
    await talk.say(np.concatenate((sermon([1]), silent(4)))[: 4 * SAMPLE_RATE_HERTZ])
    other = await Talk.begun(stack)
    await talk.call.write(audio(talk.position, b"\0\0"))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await drained(talk.call)
    assert failure.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert reason_of(failure.value) == "SESSION_TOO_LONG"
    events = await talk.until(lambda events: bool(of_kind(events, "session_ended")))
    (ended,) = of_kind(events, "session_ended")
    assert ended.reason == gateway_pb2.END_REASON_TOO_LONG
    assert ended.received_sample == 4 * SAMPLE_RATE_HERTZ
    assert said(events) == [sentence(1)]
    await other.say(sermon([2]))
    assert said(await other.end()) == [sentence(2)]


async def test_operators_are_told_before_a_session_is_as_long_as_it_may_be(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(session_limit_s=48)  # as 15 min of 12 h is its last second
    talk, other = await Talk.begun(stack, title="Vigil"), await Talk.begun(stack)
    await talk.say(silent(46.9))
    assert list((await status(stack)).warnings) == []
    await talk.say(silent(0.1))
    (warning,) = (await status(stack)).warnings
    assert (warning.reason, warning.session_id) == ("SESSION_ENDS_SOON", talk.session_id)
    assert warning.message.startswith("Vigil ends within 1 min")
    await talk.say(silent(0.5))
    (line,) = logged(stack, "session_ends_soon")
    assert (line["session_id"], line["left_s"]) == (talk.session_id, 1)
    await talk.end()
    assert list((await status(stack)).warnings) == []
    await other.end()


async def test_audio_beyond_the_burst_is_held_back_and_another_speaker_is_not(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(audio_burst_s=3, audio_speed_limit=1)
    hurried = await Talk.begun(stack)
    began_s = time.monotonic()
    await hurried.say(silent(3))  # the burst
    saying = asyncio.create_task(hurried.say(silent(2)))
    await hurried_is_not_through(stack, saying)
    await saying
    # Two more seconds of audio took two of the clock, as nothing else here makes them.
    assert time.monotonic() - began_s > 1.9
    await hurried.end()


async def hurried_is_not_through(stack: Stack, saying: asyncio.Task[None]) -> None:
    """Another session's sentence comes to its end meanwhile."""
    assert said(await stack.events(await stack.speak(sermon([3])[: 3 * SAMPLE_RATE_HERTZ]))) == [
        sentence(3)
    ]
    assert not saying.done()


async def test_the_bucket_runs_out_at_its_speed() -> None:
    now_s = 100.0
    pace = Pace(burst_s=10, speed=2, now_s=lambda: now_s)
    pace.count(10)
    assert pace.wait_s(1) == pytest.approx(0.5)
    now_s += 0.5
    assert pace.wait_s(1) == pytest.approx(0)
    pace.count(1)
    assert pace.wait_s(60) == pytest.approx(5)  # what is longer than the bucket waits until empty
    now_s += 1000
    assert pace.wait_s(60) == 0


async def test_a_phrase_of_200_characters_is_taken_and_one_of_201_is_refused(stack: Stack) -> None:
    for phrase, expected in (("x" * 200, None), ("x" * 201, "PHRASE_TOO_LONG")):
        call = stack.calls.StreamAudio(timeout=20)
        await call.write(config(phrases=[phrase]))
        if expected is None:
            assert (await call.read()).HasField("session_opened")
            call.cancel()
            continue
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await drained(call)
        assert reason_of(failure.value) == expected


async def test_500_phrases_and_8_languages_are_taken_and_one_more_is_refused(stack: Stack) -> None:
    languages = [f"es-{region}" for region in ("AR", "CL", "CO", "CU", "EC", "GT", "MX", "PE")]
    call = stack.calls.StreamAudio(timeout=20)
    await open_stream(call, phrases=["x"] * 500, title="x" * 200, target_languages=languages)
    call.cancel()
    for wrong, reason in (
        ({"phrases": ["x"] * 501}, "TOO_MANY_PHRASES"),
        ({"title": "x" * 201}, "TITLE_TOO_LONG"),
        ({"target_languages": [*languages, "fr"]}, "INVALID_TARGET_LANGUAGES"),
    ):
        code, given = await refusal(stack, [config(**wrong)])
        assert (code, given) == (grpc.StatusCode.INVALID_ARGUMENT, reason)


async def test_a_message_over_the_limit_is_refused_and_another_speaker_goes_on(
    stack: Stack,
) -> None:
    speaking = await Talk.begun(stack)
    for size_bytes, code in (
        (MAX_MESSAGE_BYTES, grpc.StatusCode.INVALID_ARGUMENT),  # read, and CHUNK_TOO_LARGE
        (MAX_MESSAGE_BYTES + 1, grpc.StatusCode.RESOURCE_EXHAUSTED),
    ):
        call = stack.calls.StreamAudio(timeout=20)
        await open_stream(call)
        await call.write(of_size(size_bytes))
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await drained(call)
        assert failure.value.code() is code
    await speaking.say(sermon([4]))
    assert said(await speaking.end()) == [sentence(4)]


def of_size(size_bytes: int) -> gateway_pb2.StreamAudioRequest:
    """A message of so many bytes on the wire."""
    data_bytes = size_bytes - audio(0, bytes(size_bytes)).ByteSize() + size_bytes
    message = audio(0, bytes(data_bytes))
    assert message.ByteSize() == size_bytes
    return message


async def test_so_much_audio_is_taken_in_while_stt_is_away_and_what_follows_is_held_back(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(replay_audio_limit_s=2)
    stack.peers["stt"].kill()
    talk = await Talk.begun(stack)
    await talk.say(silent(2))
    saying = asyncio.create_task(talk.say(silent(1)))
    await asyncio.wait({saying}, timeout=0.5)
    assert not saying.done()
    assert (await of_session(stack, talk.session_id)).unsettled_ms == 2_000
    stack.peers["stt"].start()
    await saying
    await talk.end()


async def test_audio_ahead_of_an_stt_that_is_slow_is_held_back(own_stack: StartStack) -> None:
    stack = await own_stack(unsent_audio_limit_s=1)
    talk = await Talk.begun(stack)
    await talk.say(silent(1))
    os.kill(stack.peers["stt"].pid, signal.SIGSTOP)
    try:
        saying = asyncio.create_task(talk.say(silent(60)))
        # Beside the limit what gRPC has on its way to stt.
        assert 1_000 <= await unsettled_ms_at_rest(stack, talk.session_id) < 20_000
        assert not saying.done()
    finally:
        os.kill(stack.peers["stt"].pid, signal.SIGCONT)
    await saying
    await talk.end()


async def unsettled_ms_at_rest(stack: Stack, session_id: str) -> int:
    """What no more is taken in beside: the same at ten looks in a row, 0.2 s apart."""
    seen_ms: list[int] = []
    async with asyncio.timeout(40):
        while len(seen_ms) < 10 or len(set(seen_ms[-10:])) > 1:
            await asyncio.sleep(0.2)
            seen_ms.append((await of_session(stack, session_id)).unsettled_ms)
    return seen_ms[-1]


async def test_who_opens_and_says_nothing_is_let_go_and_another_speaker_goes_on(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(first_message_timeout_s=0.3)
    with growth_below(stack.gateway.pid, 16 * MIB):
        silent_calls = [stack.calls.StreamAudio(timeout=20) for _ in range(100)]
        speaking = await Talk.begun(stack)
        await speaking.say(sermon([5]))
        for call in silent_calls:
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await drained(call)
            assert failure.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert reason_of(failure.value) == "FIRST_MESSAGE_TIMEOUT"
        assert said(await speaking.end()) == [sentence(5)]


async def test_a_flood_of_reconnects_leaves_nothing_behind_and_another_speaker_goes_on(
    stack: Stack,
) -> None:
    speaking = await Talk.begun(stack)
    restless = await Talk.begun(stack)
    gateway = psutil.Process(stack.gateway.pid)
    await until(lambda: has_open(stack, 2))  # those of other tests are over
    descriptors = gateway.num_fds()
    with growth_below(gateway.pid, 16 * MIB):
        for _ in range(200):
            await come_and_go(stack, restless.session_id)
    await restless.resume()
    await until(lambda: has_open(stack, 2))
    async with asyncio.timeout(20):
        while gateway.num_fds() > descriptors:
            await asyncio.sleep(0.05)
    await speaking.say(sermon([6]))
    assert said(await speaking.end()) == [sentence(6)]
    await restless.say(sermon([7]))
    assert said(await restless.end()) == [sentence(7)]


async def come_and_go(stack: Stack, session_id: str) -> None:
    """A speaker who takes a session over on a connection of its own, which then breaks off."""
    own = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(stack.gateway.address, own) as channel:
        call = gateway_pb2_grpc.GatewayServiceStub(channel).StreamAudio(timeout=20)
        await open_stream(call, session_id=session_id)


async def has_open(stack: Stack, count: int) -> bool:
    """Whether that is how many streams of speakers the gateway has open."""
    name = 'glossa_rpcs_open{method="GatewayService/StreamAudio"}'
    return await stack.metric(name) == count
