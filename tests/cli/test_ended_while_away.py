"""A speaker whose session was ended while its stream was broken: had the gateway all its audio?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from cli.client import Chunk, Closed, SessionRequest, SpeakerClient
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.errors import Unavailable, WrongState, abort
from tests.processes import free_port_base

SPOKEN_SAMPLES = 32_000


class EndedWhileAway(
    gateway_pb2_grpc.GatewayServiceServicer, gateway_pb2_grpc.JournalServiceServicer
):
    """Breaks off when all audio is sent; when the speaker is back an operator has ended it all."""

    def __init__(self, received_sample: int) -> None:
        self._received_sample = received_sample
        self._is_over = False

    async def StreamAudio(
        self,
        requests: AsyncIterator[gateway_pb2.StreamAudioRequest],
        context: grpc.aio.ServicerContext,
    ) -> AsyncIterator[gateway_pb2.StreamAudioResponse]:
        if self._is_over:
            await abort(context, WrongState("SESSION_ENDED", "it has ended"))
        yield gateway_pb2.StreamAudioResponse(
            session_opened=gateway_pb2.SessionOpened(session_id="sunday")
        )
        async for _ in requests:
            pass
        self._is_over = True
        await abort(context, Unavailable("SHUTTING_DOWN", "back in a moment"))

    async def Follow(
        self, request: gateway_pb2.FollowRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[gateway_pb2.FollowResponse]:
        ended = gateway_pb2.SessionEnded(
            reason=gateway_pb2.END_REASON_OPERATOR,
            final_count=3,
            received_sample=self._received_sample,
        )
        yield gateway_pb2.FollowResponse(
            event=gateway_pb2.JournalEvent(sequence=1, session_started={})
        )
        yield gateway_pb2.FollowResponse(
            event=gateway_pb2.JournalEvent(sequence=8, session_ended=ended)
        )
        yield gateway_pb2.FollowResponse(caught_up=gateway_pb2.CaughtUp(sequence=8))


async def speak(received_sample: int) -> Closed:
    """What a speaker is told whose session ended with `received_sample` samples received."""
    servicer = EndedWhileAway(received_sample)
    server = grpc.aio.server()
    gateway_pb2_grpc.add_GatewayServiceServicer_to_server(servicer, server)
    gateway_pb2_grpc.add_JournalServiceServicer_to_server(servicer, server)
    address = f"127.0.0.1:{free_port_base()}"
    server.add_insecure_port(address)
    await server.start()

    async def source() -> AsyncIterator[Chunk]:
        for first_sample in range(0, SPOKEN_SAMPLES, 1_600):
            yield Chunk(first_sample, b"\1\0" * 1_600)

    try:
        async with asyncio.timeout(20):
            return await SpeakerClient(address, SessionRequest("en", ("es",))).stream(source())
    finally:
        await server.stop(None)


async def test_a_session_that_had_all_the_audio_is_a_success() -> None:
    assert await speak(SPOKEN_SAMPLES) == Closed("sunday", 3, 8)


async def test_a_session_that_was_ended_before_it_had_all_the_audio_is_an_error() -> None:
    with pytest.raises(WrongState) as failure:
        await speak(SPOKEN_SAMPLES - 24_000)
    assert failure.value.reason == "SESSION_ENDED"
    assert "1.5 s" in failure.value.message
