"""The speakers' streams: audio in, receipts and gaps back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from glossa.gateway.v1 import gateway_pb2
from services import audio
from services.errors import DeadlinePassed, InvalidInput
from services.gateway.models import shutting_down
from services.gateway.requests import check_new_session
from services.gateway.session import Session
from services.gateway.sessions import Sessions
from services.gateway.speaker import Speaker

Requests = AsyncIterator[gateway_pb2.StreamAudioRequest]

_RECEIPT_INTERVAL_S = 1.0
_GAP_NOTICES_LIMIT = 64  # further ones wait in the journal only
# gRPC reports a broken connection first as an ended stream and cancels the handler just after. Only
# a stream that is still whole after this long was half-closed on purpose.
_HALF_CLOSE_PROOF_S = 0.1


class Speaking:
    """Serves the streams, and ends them on shutdown."""

    def __init__(self, idle_timeout_s: float) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._closing = False
        self._speakers: set[Speaker] = set()

    def close(self) -> None:
        """Ends every stream with SHUTTING_DOWN, and refuses further ones."""
        self._closing = True
        for speaker in self._speakers:
            speaker.wake.set()

    async def stream(
        self, sessions: Callable[[], Sessions], requests: Requests
    ) -> AsyncGenerator[gateway_pb2.StreamAudioResponse, None]:
        """One speaker's stream; the reasons why it is refused or ends are StreamAudio's.

        Args:
            sessions: asked for once the stream's config is here; raises while there are none.
        """
        if self._closing:
            raise shutting_down()
        config = await self._first_config(requests)
        session = await _open_or_resume(sessions(), config)
        speaker = session.attach()
        self._speakers.add(speaker)
        notices: list[gateway_pb2.AudioGap] = []
        reading = asyncio.create_task(self._read_audio(requests, session, speaker, notices))
        try:
            yield gateway_pb2.StreamAudioResponse(
                session_opened=gateway_pb2.SessionOpened(
                    session_id=session.session_id, next_sample=session.next_sample
                )
            )
            async for response in self._answers(session, speaker, reading, notices):
                yield response
        finally:
            reading.cancel()
            await asyncio.wait({reading})
            self._speakers.discard(speaker)
            session.detach(speaker)

    async def _answers(
        self,
        session: Session,
        speaker: Speaker,
        reading: asyncio.Task[None],
        notices: list[gateway_pb2.AudioGap],
    ) -> AsyncIterator[gateway_pb2.StreamAudioResponse]:
        """Receipts and gaps until the session is closed; raises what ends the stream otherwise."""
        reading.add_done_callback(lambda _: speaker.wake.set())
        session.closed.add_done_callback(lambda _: speaker.wake.set())
        receipt = None
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECEIPT_INTERVAL_S):
                    await speaker.wake.wait()
            speaker.wake.clear()
            while notices:
                yield gateway_pb2.StreamAudioResponse(audio_gap=notices.pop(0))
            if (newest := session.receipt()) != receipt:
                receipt = newest
                yield gateway_pb2.StreamAudioResponse(receipt=receipt)
            if session.closed.done():
                speaker.check()
                yield gateway_pb2.StreamAudioResponse(session_closed=session.closed.result())
                return
            if reading.done():
                reading.result()
            speaker.check()
            if self._closing:
                raise shutting_down()

    async def _read_audio(
        self,
        requests: Requests,
        session: Session,
        speaker: Speaker,
        notices: list[gateway_pb2.AudioGap],
    ) -> None:
        """Takes audio in until the speaker half-closes."""
        while (request := await self._next_request(requests)) is not None:
            if request.WhichOneof("payload") != "audio":
                raise InvalidInput(
                    "CONFIG_REPEATED", "a stream has one config, as its first message"
                )
            gap = await session.take_audio(speaker, request.audio.first_sample, request.audio.data)
            if gap is not None and len(notices) < _GAP_NOTICES_LIMIT:
                notices.append(gap)
                speaker.wake.set()
        await asyncio.sleep(_HALF_CLOSE_PROOF_S)
        speaker.check()
        session.finish(gateway_pb2.END_REASON_FINISHED)

    async def _first_config(self, requests: Requests) -> gateway_pb2.SessionConfig:
        request = await self._next_request(requests)
        if request is None or request.WhichOneof("payload") != "config":
            raise InvalidInput(
                "AUDIO_BEFORE_CONFIG", "the first message of a stream must be its config"
            )
        return request.config

    async def _next_request(self, requests: Requests) -> gateway_pb2.StreamAudioRequest | None:
        try:
            async with asyncio.timeout(self._idle_timeout_s):
                return await anext(requests, None)
        except TimeoutError as error:
            raise DeadlinePassed(
                "IDLE_TIMEOUT",
                f"nothing came for {self._idle_timeout_s:g} s; resume the session",
            ) from error


async def _open_or_resume(sessions: Sessions, config: gateway_pb2.SessionConfig) -> Session:
    audio.check_format(
        config.format.encoding, config.format.sample_rate_hertz, config.format.channel_count
    )
    if config.session_id:
        return await sessions.resume(config.session_id)
    check_new_session(config)
    return await sessions.open(config)
