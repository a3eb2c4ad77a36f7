"""The sound of past sessions, read from the gateway."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import grpc

from cli.client import Peer, as_glossa_error
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.channels import open_channel
from services.errors import reason_of

_CALL_TIMEOUT_S = 30.0  # half a minute of audio, or one event
_NOT_KEPT = ("AUDIO_NOT_STORED", "UNKNOWN_SESSION")


class GatewayAudio:
    """A connection to the gateway, as services.collector.audio_folder.SessionAudio wants it.

    Every method raises GlossaError when the gateway fails.
    """

    def __init__(self, channel: grpc.aio.Channel, address: str) -> None:
        self._peer = Peer("gateway", address, "--gateway")
        self._journal = gateway_pb2_grpc.JournalServiceStub(channel)

    async def has_consent(self, session_id: str) -> bool:
        """Whether the session's speaker agreed that its audio is kept."""
        call = self._journal.Follow(
            gateway_pb2.FollowRequest(session_id=session_id, until_now=True),
            timeout=_CALL_TIMEOUT_S,
        )
        try:
            async for message in call:
                if message.event.WhichOneof("event") == "session_started":
                    return bool(message.event.session_started.config.store_audio)
        except grpc.aio.AioRpcError as error:
            if reason_of(error) not in _NOT_KEPT:
                raise as_glossa_error(error, self._peer) from error
        finally:
            call.cancel()
        return False  # it was forgotten

    async def read(self, session_id: str, first_sample: int, end_sample: int) -> bytes | None:
        """Samples as 16-bit little-endian PCM, fewer where the session ends; None: not kept."""
        call = self._journal.FetchAudio(
            gateway_pb2.FetchAudioRequest(
                session_id=session_id, first_sample=first_sample, end_sample=end_sample
            ),
            timeout=_CALL_TIMEOUT_S,
        )
        try:
            return b"".join([response.audio.data async for response in call])
        except grpc.aio.AioRpcError as error:
            if reason_of(error) in _NOT_KEPT:
                return None
            raise as_glossa_error(error, self._peer) from error


@contextlib.asynccontextmanager
async def gateway_audio(address: str) -> AsyncIterator[GatewayAudio]:
    """A connection for a while."""
    async with open_channel(address) as channel:
        yield GatewayAudio(channel, address)
