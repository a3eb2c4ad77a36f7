"""The gateway that operators steer: its calls with JSON in and JSON out."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.captions.web.message_json import as_json
from services.channels import open_channel
from services.errors import (
    GlossaError,
    InvalidInput,
    Unavailable,
    WrongState,
    reason_of,
    refusal,
)

MessageT = TypeVar("MessageT", bound=Message)

_SESSIONS_LIMIT = 100


@dataclass(frozen=True, slots=True)
class _Operation:
    """A call of GatewayService, its request and its deadline."""

    method: str
    request: type[Message]
    timeout_s: float = 10.0


OPERATIONS: Mapping[str, _Operation] = {
    "correct": _Operation("CorrectSegment", gateway_pb2.CorrectSegmentRequest),
    "hide": _Operation("HideSegment", gateway_pb2.HideSegmentRequest),
    "hold": _Operation("HoldSession", gateway_pb2.HoldSessionRequest),
    "reset": _Operation("ResetSession", gateway_pb2.ResetSessionRequest),
    # It answers when the last translations are there.
    "end": _Operation("EndSession", gateway_pb2.EndSessionRequest, timeout_s=55.0),
    "screens": _Operation("SetScreens", gateway_pb2.SetScreensRequest),
}
_STATUS = _Operation("GetStatus", gateway_pb2.GetStatusRequest, timeout_s=2.0)
_SESSIONS = _Operation("ListSessions", gateway_pb2.ListSessionsRequest, timeout_s=5.0)


class OperatorGateway:
    """One channel to the gateway, opened on first use.

    Every method raises what the gateway raised; Unavailable GATEWAY_UNAVAILABLE when it does not
    answer; WrongState NO_GATEWAY when there is none.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._open_channel: grpc.aio.Channel | None = None

    async def close(self) -> None:
        if self._open_channel is not None:
            await self._open_channel.close()

    async def operate(self, name: str, body: dict[str, Any]) -> Any:
        """One of OPERATIONS with a request by its proto names. Raises InvalidInput, too."""
        operation = OPERATIONS[name]
        return await self._call(operation, parsed(body, operation.request()))

    async def status(self) -> Any:
        return await self._call(_STATUS, gateway_pb2.GetStatusRequest())

    async def sessions(self) -> Any:
        return await self._call(
            _SESSIONS, gateway_pb2.ListSessionsRequest(page_size=_SESSIONS_LIMIT)
        )

    async def follow(self, session_id: str, after_sequence: int) -> AsyncGenerator[Any, None]:
        """A session's events and live updates; nothing is kept for who takes them slowly."""
        call = gateway_pb2_grpc.JournalServiceStub(self.channel).Follow(
            gateway_pb2.FollowRequest(
                session_id=session_id, after_sequence=after_sequence, live=True
            )
        )
        try:
            async for response in call:
                yield as_json(response)
        except grpc.aio.AioRpcError as error:
            raise as_glossa_error(error) from error
        finally:
            call.cancel()
        raise Unavailable("GATEWAY_UNAVAILABLE", "the gateway ended the stream; open it again")

    @property
    def channel(self) -> grpc.aio.Channel:
        if not self._address:
            raise WrongState(
                "NO_GATEWAY",
                "this captions service has no gateway to steer: set "
                "GLOSSA_CAPTIONS_GATEWAY_ADDRESS, or open the page of the one that follows it",
            )
        if self._open_channel is None:
            self._open_channel = open_channel(self._address)
        return self._open_channel

    async def _call(self, operation: _Operation, request: Message) -> Any:
        stub = gateway_pb2_grpc.GatewayServiceStub(self.channel)
        try:
            answer = await getattr(stub, operation.method)(request, timeout=operation.timeout_s)
        except grpc.aio.AioRpcError as error:
            raise as_glossa_error(error) from error
        return as_json(answer)


def parsed(body: dict[str, Any], message: MessageT) -> MessageT:
    """`body` as that message. Raises InvalidInput: INVALID_REQUEST."""
    # A field's name that is half of a surrogate pair is a SystemError of protobuf's.
    with contextlib.suppress(json_format.ParseError, ValueError, TypeError, SystemError):
        return json_format.ParseDict(body, message)
    fields = ", ".join(field.name for field in message.DESCRIPTOR.fields)
    raise InvalidInput(
        "INVALID_REQUEST", f"send the fields of {message.DESCRIPTOR.name} as JSON: {fields}"
    )


def as_glossa_error(error: grpc.aio.AioRpcError) -> GlossaError:
    """What the gateway raised; anything else is a gateway that is not there."""
    return refusal(error) or Unavailable(
        "GATEWAY_UNAVAILABLE",
        f"the gateway does not answer ({reason_of(error)}); try again in a moment",
    )
