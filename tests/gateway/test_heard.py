"""What becomes of audio: suppressed segments, audio that breaks stt, gaps, a journal that waits."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import grpc
import numpy as np
import pytest
import pytest_asyncio

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.audio import ms_to_samples
from services.errors import Unavailable, reason_of
from services.gateway.heard import append_gap, append_suppressed
from services.gateway.journal import Journal
from services.gateway.server import GatewayApp
from services.gateway.session_rows import settle, start_session
from services.gateway.settings import GatewaySettings
from services.rpc_log import RpcLog
from tests.gateway.conftest import Stack, audio, drained, open_stream, received
from tests.gateway.peers import (
    BREAKING_SENTENCE,
    CORRECTED_SENTENCE,
    SPEECH_SAMPLES,
    SUPPRESSED_SENTENCE,
    sentence,
    sermon,
)
from tests.gateway.test_sessions import StartStack, of_kind, said
from tests.processes import free_port_base
from tests.speech import chunks

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_corrected_terms_and_doubts_are_in_the_final(stack: Stack) -> None:
    session_id = await stack.speak(sermon([CORRECTED_SENTENCE]))
    (final,) = of_kind(await stack.events(session_id), "transcript")
    (correction,) = final.corrections
    assert (correction.heard, correction.intended) == ("sent dense", "Sentence")
    assert list(final.flags) == ["low_confidence"]


async def test_a_suppressed_segment_is_journalled_and_its_number_used_again(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1, SUPPRESSED_SENTENCE, 2]))
    events = await stack.scored_events(session_id, 2)
    (suppressed,) = of_kind(events, "segment_suppressed")
    assert (suppressed.reason, suppressed.text) == ("phantom", "Thank you.")
    assert ms_to_samples(suppressed.start_offset_ms) == len(sermon([1]))
    assert [t.segment_id for t in of_kind(events, "transcript")] == [1, 2]


async def test_audio_that_is_decoded_again_is_suppressed_once(stack: Stack) -> None:
    pcm = sermon([1, SUPPRESSED_SENTENCE, 2])
    heard = len(sermon([1])) + SPEECH_SAMPLES + 3_200
    call = stack.calls.StreamAudio(timeout=60)
    session_id = (await open_stream(call)).session_id
    following = stack.journal.Follow(
        gateway_pb2.FollowRequest(session_id=session_id, live=True), timeout=60
    )
    for first_sample, data in chunks(pcm[:heard]):
        await call.write(audio(first_sample, data))
    seen: set[str | None] = set()
    while not {"segment_suppressed", "segment_dropped"} <= seen:
        response = await following.read()
        seen |= {response.event.WhichOneof("event"), response.live.WhichOneof("update")}
    stack.peers["stt"].kill()  # it has not settled this segment, and gets it again
    stack.peers["stt"].start()
    for first_sample, data in chunks(pcm[heard:]):
        await call.write(audio(heard + first_sample, data))
    await call.done_writing()
    await drained(call)
    following.cancel()
    events = await stack.scored_events(session_id, 2)
    assert said(events) == [sentence(1), sentence(2)]
    assert len(of_kind(events, "segment_suppressed")) == 1


async def test_audio_that_always_breaks_stt_is_skipped_as_a_gap_with_its_reason(
    stack: Stack,
) -> None:
    before = sermon([1])
    breaking = sermon([BREAKING_SENTENCE])
    silence = np.zeros(80_000, dtype=np.int16)
    session_id = await stack.speak(np.concatenate([before, breaking, silence, sermon([2])]))
    events = await stack.scored_events(session_id, 2)
    assert said(events) == [sentence(1), sentence(2)]
    gaps = of_kind(events, "audio_gap")  # a second one if little was sent before stt broke
    assert gaps[0].first_sample <= len(before)
    assert gaps[-1].next_sample >= len(before) + SPEECH_SAMPLES
    assert all(gap.next_sample - gap.first_sample <= 80_000 for gap in gaps)
    reasons = {gap.reason for gap in gaps}
    assert reasons <= {"ENGINE_FAILED", "INTERNAL"}  # see services.errors.PeerStatus


async def test_audio_after_a_gap_is_kept_before_the_gap_is_written_down(
    own_stack: StartStack,
) -> None:
    """The speaker leaves while the journal waits for the disk; it will not send this again."""
    stack = await own_stack()
    call = stack.calls.StreamAudio(timeout=30)
    session_id = (await open_stream(call)).session_id
    pcm = sermon([7])
    end_sample = 16_000 + len(pcm)
    with closing(sqlite3.connect(stack.folder / "journal.db", isolation_level=None)) as disk:
        disk.execute("BEGIN IMMEDIATE")
        await call.write(audio(16_000, pcm.tobytes()))
        await received(call, end_sample)
        call.cancel()
        disk.execute("ROLLBACK")
    call = stack.calls.StreamAudio(timeout=30)
    assert (await open_stream(call, session_id=session_id)).next_sample == end_sample
    await call.done_writing()
    await drained(call)
    assert said(await stack.events(session_id)) == [sentence(7)]


async def test_calls_before_the_journal_is_open_are_told_to_come_back(tmp_path: Path) -> None:
    server = grpc.aio.server(interceptors=[RpcLog()])
    GatewayApp(GatewaySettings(state_dir=tmp_path)).register(server)
    address = f"127.0.0.1:{free_port_base()}"
    server.add_insecure_port(address)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            calls = gateway_pb2_grpc.GatewayServiceStub(channel)
            journal = gateway_pb2_grpc.JournalServiceStub(channel)
            speaking = calls.StreamAudio(timeout=10)
            for attempt in (
                calls.ListSessions(gateway_pb2.ListSessionsRequest(), timeout=10),
                journal.Follow(gateway_pb2.FollowRequest(), timeout=10).read(),
                open_stream(speaking),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await attempt
                assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
                assert reason_of(failure.value) == "NOT_READY"
    finally:
        await server.stop(0)


@pytest_asyncio.fixture(loop_scope="module")
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path / "journal.db", lambda events: None)
    await journal.write(start_session, "sunday", gateway_pb2.SessionConfig(source_language="en"))
    yield journal
    await asyncio.to_thread(journal.close)


async def test_the_journal_goes_on_after_an_error_that_nobody_expected(journal: Journal) -> None:
    gap = gateway_pb2.AudioGap(first_sample=1, next_sample=2**63 - 1)
    too_great_for_the_database = 2**63
    with pytest.raises(Unavailable) as failure:
        await journal.write(settle, "sunday", too_great_for_the_database)
    assert failure.value.reason == "JOURNAL_FAILED"
    await journal.write(append_gap, "sunday", gap)
    assert [event.audio_gap for event in await journal.read("sunday", 1)] == [gap]


def suppressed(start_offset_ms: int, end_offset_ms: int) -> gateway_pb2.SegmentSuppressed:
    return gateway_pb2.SegmentSuppressed(
        reason="phantom", start_offset_ms=start_offset_ms, end_offset_ms=end_offset_ms
    )


@pytest.mark.parametrize(
    ("again", "is_new"), [((1_000, 2_000), False), ((1_090, 2_200), False), ((2_000, 2_500), True)]
)
async def test_only_audio_beyond_what_was_suppressed_is_suppressed_anew(
    journal: Journal, again: tuple[int, int], is_new: bool
) -> None:
    assert await journal.write(append_suppressed, "sunday", suppressed(1_000, 2_000), 32_000)
    assert await journal.write(append_suppressed, "sunday", suppressed(*again), 35_200) == is_new
    assert (await journal.read_session("sunday")).settled_sample == 35_200
