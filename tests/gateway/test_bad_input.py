"""Every wrong input gets its stable reason, and what came before it is not lost."""

from __future__ import annotations

from collections.abc import Iterable

import grpc
import pytest

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.audio import samples_to_ms
from services.errors import reason_of
from tests.gateway.conftest import FORMAT, Stack, audio, drained, open_stream
from tests.gateway.peers import sentence, sermon
from tests.gateway.test_sessions import StartStack, of_kind, said
from tests.speech import chunks

pytestmark = pytest.mark.asyncio(loop_scope="module")

Request = gateway_pb2.StreamAudioRequest


def config(**changes: object) -> Request:
    settings = {
        "format": FORMAT,
        "source_language": "en",
        "target_languages": ["es"],
        **changes,
    }
    return Request(config=gateway_pb2.SessionConfig(**settings))


def audio_format(**changes: int) -> types_pb2.AudioFormat:
    changed = types_pb2.AudioFormat()
    changed.CopyFrom(FORMAT)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed


async def refusal(stack: Stack, requests: Iterable[Request]) -> tuple[grpc.StatusCode, str]:
    """Code and reason with which a stream of these messages ends."""

    async def send() -> object:
        for request in requests:
            yield request

    with pytest.raises(grpc.aio.AioRpcError) as failure:
        async for _ in stack.calls.StreamAudio(send(), timeout=20):
            pass
    return failure.value.code(), reason_of(failure.value)


CASES = {
    "audio before config": ([audio(0, b"\0\0")], "AUDIO_BEFORE_CONFIG"),
    "nothing at all": ([], "AUDIO_BEFORE_CONFIG"),
    "a second config": ([config(), config()], "CONFIG_REPEATED"),
    "an odd byte count": ([config(), audio(0, b"\0\0\0")], "ODD_BYTE_COUNT"),
    "an empty chunk": ([config(), audio(0, b"")], "EMPTY_CHUNK"),
    "a chunk over the limit": ([config(), audio(0, bytes(64 * 1024 + 2))], "CHUNK_TOO_LARGE"),
    "samples going backwards": (
        [config(), audio(0, bytes(320)), audio(100, bytes(320))],
        "SAMPLES_BACKWARDS",
    ),
    "a jump of years": ([config(), audio(2**62, bytes(320))], "GAP_TOO_LARGE"),
    "a negative sample": ([config(), audio(-160, bytes(320))], "SAMPLES_BACKWARDS"),
    "no encoding": ([config(format=audio_format(encoding=0))], "UNSUPPORTED_ENCODING"),
    "another rate": (
        [config(format=audio_format(sample_rate_hertz=44_100))],
        "UNSUPPORTED_SAMPLE_RATE",
    ),
    "two channels": ([config(format=audio_format(channel_count=2))], "UNSUPPORTED_CHANNEL_COUNT"),
    "a source language stt does not know": (
        [config(source_language="tlh")],
        "UNSUPPORTED_LANGUAGE",
    ),
    "a target language mt does not know": (
        [config(target_languages=["tlh"])],
        "UNSUPPORTED_LANGUAGE",
    ),
    "no language tag": ([config(source_language="<script>")], "UNSUPPORTED_LANGUAGE"),
    "no target": ([config(target_languages=[])], "INVALID_TARGET_LANGUAGES"),
    "the same target twice": ([config(target_languages=["es", "es"])], "INVALID_TARGET_LANGUAGES"),
    "the spoken language as target": (
        [config(target_languages=["en"])],
        "INVALID_TARGET_LANGUAGES",
    ),
    "a title over the limit": ([config(title="x" * 201)], "TITLE_TOO_LONG"),
    "too many phrases": ([config(phrases=["x"] * 501)], "TOO_MANY_PHRASES"),
    "an unknown session": ([config(session_id="nobody")], "UNKNOWN_SESSION"),
}


async def test_each_wrong_stream_ends_with_its_reason(stack: Stack) -> None:
    for name, (requests, reason) in CASES.items():
        code, given = await refusal(stack, requests)
        assert given == reason, name
        expected = (
            grpc.StatusCode.NOT_FOUND
            if reason == "UNKNOWN_SESSION"
            else grpc.StatusCode.INVALID_ARGUMENT
        )
        assert code == expected, name


async def test_what_came_before_a_wrong_chunk_is_kept(stack: Stack) -> None:
    pcm = sermon([1, 2, 3])
    half = len(pcm) // 2
    call = stack.calls.StreamAudio(timeout=20)
    session_id = (await open_stream(call)).session_id
    for first_sample, data in chunks(pcm[:half]):
        await call.write(audio(first_sample, data))
    await call.write(audio(half, b"odd"))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await drained(call)
    assert reason_of(failure.value) == "ODD_BYTE_COUNT"
    call = stack.calls.StreamAudio(timeout=20)
    opened = await open_stream(call, session_id=session_id)
    assert opened.next_sample == half
    for first_sample, data in chunks(pcm[half:]):
        await call.write(audio(half + first_sample, data))
    await call.done_writing()
    await drained(call)
    assert said(await stack.events(session_id)) == [sentence(n) for n in (1, 2, 3)]


async def test_a_gap_is_marked_and_told(stack: Stack) -> None:
    first, second = sermon([1]), sermon([2])
    after_gap = len(first) + 8_000
    call = stack.calls.StreamAudio(timeout=20)
    session_id = (await open_stream(call)).session_id
    for first_sample, data in chunks(first):
        await call.write(audio(first_sample, data))
    for first_sample, data in chunks(second):
        await call.write(audio(after_gap + first_sample, data))
    await call.done_writing()
    told = [answer.audio_gap for answer in await drained(call) if answer.HasField("audio_gap")]
    events = await stack.events(session_id)
    assert of_kind(events, "audio_gap") == told
    assert [(gap.first_sample, gap.next_sample) for gap in told] == [(len(first), after_gap)]
    transcripts = of_kind(events, "transcript")
    assert [t.start_offset_ms for t in transcripts] == [0, samples_to_ms(after_gap)]


async def test_a_second_stream_takes_a_session_over(stack: Stack) -> None:
    first = stack.calls.StreamAudio(timeout=20)
    session_id = (await open_stream(first)).session_id
    second = stack.calls.StreamAudio(timeout=20)
    assert (await open_stream(second, session_id=session_id)).session_id == session_id
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await drained(first)
    assert reason_of(failure.value) == "SESSION_TAKEN_OVER"
    second.cancel()


async def test_sessions_beyond_the_limit_are_refused(own_stack: StartStack) -> None:
    stack = await own_stack(max_sessions=1)
    call = stack.calls.StreamAudio(timeout=20)
    await open_stream(call)
    code, reason = await refusal(stack, [config()])
    assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_SESSIONS")
    call.cancel()


async def test_a_speaker_that_sends_nothing_is_let_go(own_stack: StartStack) -> None:
    stack = await own_stack(idle_timeout_s=0.2)
    call = stack.calls.StreamAudio(timeout=20)
    await open_stream(call)
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await drained(call)
    assert reason_of(failure.value) == "IDLE_TIMEOUT"


@pytest.mark.parametrize(("text", "reason"), [("  ", "EMPTY_TEXT"), ("x" * 2001, "TEXT_TOO_LONG")])
async def test_wrong_corrections_are_refused(stack: Stack, text: str, reason: str) -> None:
    session_id = await stack.speak(sermon([1]))
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await stack.calls.CorrectSegment(
            gateway_pb2.CorrectSegmentRequest(
                session_id=session_id, segment_id=1, language="es", text=text
            )
        )
    assert reason_of(failure.value) == reason


async def test_unknown_sessions_are_not_found(stack: Stack) -> None:
    for call in (
        stack.calls.EndSession(gateway_pb2.EndSessionRequest(session_id="nobody")),
        stack.journal.Follow(gateway_pb2.FollowRequest(session_id="nobody")).read(),
        stack.journal.FetchAudio(gateway_pb2.FetchAudioRequest(session_id="nobody")).read(),
        stack.calls.CorrectSegment(
            gateway_pb2.CorrectSegmentRequest(session_id="nobody", segment_id=1, text="x")
        ),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call
        assert reason_of(failure.value) == "UNKNOWN_SESSION"
