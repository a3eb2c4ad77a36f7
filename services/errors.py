"""The errors that cross a service boundary, and how they travel over gRPC.

GlossaError                 every error here; carries a stable `reason`
├── InvalidInput            the caller sent something wrong          INVALID_ARGUMENT
├── Unauthenticated         it does not show that it may             UNAUTHENTICATED
├── Forbidden               it may not, whoever it is                PERMISSION_DENIED
├── NotFound                it names something that is not there     NOT_FOUND
├── WrongState              right call, wrong moment                 FAILED_PRECONDITION
├── OutOfRange              a position outside what is kept          OUT_OF_RANGE
├── Superseded              someone else took the caller's place     ABORTED
├── Overloaded              try again after `retry_after_s`          RESOURCE_EXHAUSTED + RetryInfo
├── DeadlinePassed          the peer stayed silent too long          DEADLINE_EXCEEDED
└── Unavailable             not now: loading, draining, dependency   UNAVAILABLE
    └── EngineFailed        a model runtime broke                    UNAVAILABLE, ENGINE_FAILED
        └── OutOfMemory     it had no room and may have it again     UNAVAILABLE, OUT_OF_MEMORY

On the wire an error is a google.rpc.Status with one ErrorInfo{reason, domain, metadata} (AIP-193).
The reasons of an RPC are listed in its comment in protos/.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, ClassVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

ERROR_DOMAIN = "glossa"
_STATUS_DETAILS_KEY = "grpc-status-details-bin"
# A status travels in HTTP/2 trailers, of which a peer takes 8 KiB: with more the caller would see
# RESOURCE_EXHAUSTED instead of the error. Messages quote what callers sent, which nothing bounds.
_MESSAGE_LIMIT_BYTES = 1000
_METADATA_VALUE_LIMIT_BYTES = 400


class GlossaError(Exception):
    """An error with a stable reason.

    Args:
        reason: UPPER_SNAKE_CASE, stable across versions; what programs look at.
        message: one sentence for people, with what to do next.
        metadata: further facts by name; no sermon text.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(self, reason: str, message: str, **metadata: object) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = _shortened(message, _MESSAGE_LIMIT_BYTES)
        self.metadata = {
            name: _shortened(str(value), _METADATA_VALUE_LIMIT_BYTES)
            for name, value in metadata.items()
        }


def _shortened(text: str, limit_bytes: int) -> str:
    encoded = text.encode()
    if len(encoded) <= limit_bytes:
        return text
    return encoded[:limit_bytes].decode(errors="ignore") + "…"


class InvalidInput(GlossaError):
    code = grpc.StatusCode.INVALID_ARGUMENT


class Unauthenticated(GlossaError):
    code = grpc.StatusCode.UNAUTHENTICATED


class Forbidden(GlossaError):
    code = grpc.StatusCode.PERMISSION_DENIED


class NotFound(GlossaError):
    code = grpc.StatusCode.NOT_FOUND


class WrongState(GlossaError):
    code = grpc.StatusCode.FAILED_PRECONDITION


class OutOfRange(GlossaError):
    code = grpc.StatusCode.OUT_OF_RANGE


class Superseded(GlossaError):
    code = grpc.StatusCode.ABORTED


class Overloaded(GlossaError):
    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(
        self, reason: str, message: str, *, retry_after_s: float = 1.0, **metadata: object
    ) -> None:
        super().__init__(reason, message, **metadata)
        self.retry_after_s = retry_after_s


class DeadlinePassed(GlossaError):
    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Unavailable(GlossaError):
    code = grpc.StatusCode.UNAVAILABLE


class EngineFailed(Unavailable):
    """A model runtime died, hung or gave nonsense; a retry meets a restarted one."""

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__("ENGINE_FAILED", message, **metadata)


class OutOfMemory(EngineFailed):
    """A model or a text did not fit into the device's memory; the runtime itself still works."""

    def __init__(self, message: str, **metadata: object) -> None:
        super().__init__(message, **metadata)
        self.reason = "OUT_OF_MEMORY"


_KINDS: dict[grpc.StatusCode, type[GlossaError]] = {
    kind.code: kind
    for kind in (
        InvalidInput,
        Unauthenticated,
        Forbidden,
        NotFound,
        WrongState,
        OutOfRange,
        Superseded,
        Overloaded,
        DeadlinePassed,
        Unavailable,
    )
}


async def abort(context: grpc.aio.ServicerContext, error: GlossaError) -> None:
    """Ends the RPC with `error` as its status; never returns."""
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    details: list[error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo] = [
        error_details_pb2.ErrorInfo(
            reason=error.reason, domain=ERROR_DOMAIN, metadata=error.metadata
        )
    ]
    if isinstance(error, Overloaded):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort(
        error.code,
        error.message,
        trailing_metadata=((_STATUS_DETAILS_KEY, status.SerializeToString()),),
    )


def error_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo | None:
    """The ErrorInfo of a failed call, or None when the peer (or the network) gave none."""
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
            return info
    return None


def reason_of(error: grpc.RpcError) -> str:
    """The stable reason of a failed call; its gRPC code's name when there is none."""
    info = error_info(error)
    return info.reason if info is not None else str(error.code().name)


def refusal(error: grpc.aio.AioRpcError) -> GlossaError | None:
    """What a peer answered instead, as it raised it; None when the answer is not the peer's."""
    info = error_info(error)
    kind = _KINDS.get(error.code())
    if info is None or kind is None:
        return None
    return kind(info.reason, error.details() or info.reason, **dict(info.metadata))


class PeerStatus:
    """The status with which a peer ended a stream that is still being written to.

    grpc.aio overwrites it with INTERNAL when a write fails because the stream has just ended, in
    about half of the cases (grpc/grpc#36066), and the reason would be lost. Made right after the
    call:

        status = PeerStatus(call)
        try:
            ...
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            raise await status.error() from None
    """

    def __init__(self, call: grpc.aio.Call) -> None:
        self._call = call
        self._first: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._keep)

    async def error(self) -> grpc.aio.AioRpcError:
        """How the stream ended; UNAVAILABLE when it ended with OK before it should have."""
        call = self._call
        code = await call.code()
        if self._first is not None:
            return self._first
        return _rpc_error(
            grpc.StatusCode.UNAVAILABLE if code is grpc.StatusCode.OK else code,
            await call.initial_metadata(),
            await call.trailing_metadata(),
            await call.details() or "the stream ended",
        )

    def _keep(self, call: grpc.aio.Call) -> None:
        # Called as soon as a status is there, before a failing write can replace it, and only then
        # do these coroutines end without waiting.
        code = _ended(call.code())
        if self._first is None and code is not grpc.StatusCode.OK:
            self._first = _rpc_error(
                code,
                _ended(call.initial_metadata()),
                _ended(call.trailing_metadata()),
                _ended(call.details()),
            )


def _rpc_error(
    code: grpc.StatusCode, initial: Any, trailing: Any, details: str | None
) -> grpc.aio.AioRpcError:
    empty = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, initial or empty, trailing or empty, details)


def _ended(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    finally:
        coroutine.close()
    return None
