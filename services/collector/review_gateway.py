"""What the review asks of the gateway: decisions into the journal, audio out of its store."""

from __future__ import annotations

from collections.abc import Collection

import grpc

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.audio import ms_to_samples
from services.channels import open_channel
from services.collector.pair import Decision, Pair
from services.collector.pair_message import DECISION_NUMBERS
from services.errors import GlossaError, Unavailable, reason_of, refusal

_REVIEW_TIMEOUT_S = 10.0
_LIST_TIMEOUT_S = 2.0  # a list of pairs is not worth a longer wait for what it says of audio
_AUDIO_TIMEOUT_S = 20.0
_SESSIONS_KNOWN = 1000

# A sentence seldom begins exactly where the recogniser cut; what is around it helps the ear.
AUDIO_PADDING_MS = 400
MAX_AUDIO_MS = 120_000


class ReviewGateway:
    """The gateway on one channel, which is opened on first use.

    Every method raises Unavailable GATEWAY_UNAVAILABLE without it.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._open_channel: grpc.aio.Channel | None = None
        self._has_audio: dict[str, bool] = {}  # of the newest sessions

    @property
    def _channel(self) -> grpc.aio.Channel:
        if self._open_channel is None:
            self._open_channel = open_channel(self._address)
        return self._open_channel

    async def close(self) -> None:
        if self._open_channel is not None:
            await self._open_channel.close()

    async def review(
        self,
        pair: Pair,
        decision: Decision,
        reviewer: str,
        review_id: str,
        *,
        source_text: str = "",
        target_text: str = "",
        shown_source_text: str = "",
        shown_target_text: str = "",
    ) -> tuple[int, int]:
        """Writes a decision to the journal; its (sequence, revision). May be sent again.

        Args:
            source_text: as it shall be; empty for the one that is shown.
            target_text: the same.
            shown_source_text: as the reviewer saw it; empty: not compared.
            shown_target_text: the same.

        Raises:
            GlossaError: with the reasons of GatewayService.ReviewPair.
        """
        try:
            answer = await gateway_pb2_grpc.GatewayServiceStub(self._channel).ReviewPair(
                gateway_pb2.ReviewPairRequest(
                    session_id=pair.session_id,
                    segment_id=pair.segment_id,
                    language=pair.target_language,
                    decision=DECISION_NUMBERS[decision],
                    source_text=source_text,
                    target_text=target_text,
                    reviewer=reviewer,
                    review_id=review_id,
                    shown_source_text=shown_source_text,
                    shown_target_text=shown_target_text,
                ),
                timeout=_REVIEW_TIMEOUT_S,
            )
        except grpc.aio.AioRpcError as error:
            raise _refusal(error) from error
        return int(answer.sequence), int(answer.revision)

    async def with_audio(self, session_ids: Collection[str]) -> set[str]:
        """Those whose audio is kept, as far as it is known: its time may be over since."""
        if not self._has_audio.keys() >= set(session_ids):
            try:
                answer = await gateway_pb2_grpc.GatewayServiceStub(self._channel).ListSessions(
                    gateway_pb2.ListSessionsRequest(page_size=_SESSIONS_KNOWN),
                    timeout=_LIST_TIMEOUT_S,
                )
            except grpc.aio.AioRpcError as error:
                raise _refusal(error) from error
            self._has_audio = dict.fromkeys(session_ids, False) | {
                session.session_id: session.store_audio for session in answer.sessions
            }
        return {session_id for session_id in session_ids if self._has_audio.get(session_id)}

    async def audio(self, pair: Pair) -> bytes:
        """What was said, with a little of what is around it: mono 16-bit samples at 16 kHz.

        At most MAX_AUDIO_MS of it.

        Raises:
            NotFound: UNKNOWN_SESSION.
            WrongState: AUDIO_NOT_STORED.
        """
        first_ms = max(0, pair.start_offset_ms - AUDIO_PADDING_MS)
        end_ms = min(pair.end_offset_ms + AUDIO_PADDING_MS, first_ms + MAX_AUDIO_MS)
        call = gateway_pb2_grpc.JournalServiceStub(self._channel).FetchAudio(
            gateway_pb2.FetchAudioRequest(
                session_id=pair.session_id,
                first_sample=ms_to_samples(first_ms),
                end_sample=ms_to_samples(end_ms),
            ),
            timeout=_AUDIO_TIMEOUT_S,
        )
        try:
            return b"".join([answer.audio.data async for answer in call])
        except grpc.aio.AioRpcError as error:
            if reason_of(error) == "AUDIO_NOT_STORED":
                self._has_audio[pair.session_id] = False
            raise _refusal(error) from error
        finally:
            call.cancel()


def _refusal(error: grpc.aio.AioRpcError) -> GlossaError:
    """What the gateway refused, as it said it; anything else is a gateway that is not there."""
    refused = refusal(error)
    if refused is None or isinstance(refused, Unavailable):
        return Unavailable(
            "GATEWAY_UNAVAILABLE",
            f"the gateway does not answer ({reason_of(error)}); nothing is lost: try again in a "
            "moment",
        )
    return refused
