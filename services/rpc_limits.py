"""What one host may hold of a gRPC server: calls that are open, and calls that say nothing."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from services.errors import DeadlinePassed, GlossaError, InvalidInput, Overloaded, abort
from services.peer_address import host_of_peer
from services.rpc_wrapping import Continuation, is_grpcs_own


class RpcLimits(grpc.aio.ServerInterceptor):
    """Refuses a host's calls beyond its share, and those whose first message does not come.

    gRPC itself waits without end for the message of a unary call, and asks nobody meanwhile; so
    every call is taken as a stream of messages here. On the wire the two are the same.

    Args:
        calls_per_host: open at once.
        first_message_timeout_s: from a call's headers to its first message.
    """

    def __init__(self, calls_per_host: int, first_message_timeout_s: float) -> None:
        self._calls_per_host = calls_per_host
        self._first_message_timeout_s = first_message_timeout_s
        self._open: Counter[str] = Counter()

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        handler = await continuation(details)
        if handler is None:
            return handler
        inner = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )
        # RpcLog, which makes a status of an error, leaves gRPC's own services alone.
        tells_errors = is_grpcs_own(details.method)

        @contextlib.asynccontextmanager
        async def limited(
            messages: AsyncIterator[Any], context: grpc.aio.ServicerContext
        ) -> AsyncIterator[Any]:
            try:
                with self._counted(host_of_peer(context.peer())):
                    prompt = _Prompt(messages, self._first_message_timeout_s)
                    yield prompt if handler.request_streaming else await prompt.only()
            except GlossaError as error:
                if not tells_errors:
                    raise
                await abort(context, error)

        async def answer(messages: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> Any:
            async with limited(messages, context) as request:
                return await inner(request, context)

        async def answers(
            messages: AsyncIterator[Any], context: grpc.aio.ServicerContext
        ) -> AsyncIterator[Any]:
            async with (
                limited(messages, context) as request,
                contextlib.aclosing(inner(request, context)) as responses,
            ):
                async for response in responses:
                    yield response

        factory = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        # Health's Watch answers with a stream that it writes itself, and is no generator.
        behaviour = answers if inspect.isasyncgenfunction(inner) else answer
        return factory(behaviour, handler.request_deserializer, handler.response_serializer)

    @contextlib.contextmanager
    def _counted(self, host: str) -> Iterator[None]:
        if self._open[host] >= self._calls_per_host:
            raise Overloaded(
                "TOO_MANY_CALLS",
                f"{self._calls_per_host} calls from this address are open, which is the limit; "
                "end one first",
                limit=self._calls_per_host,
            )
        self._open[host] += 1
        try:
            yield
        finally:
            self._open[host] -= 1
            if not self._open[host]:
                del self._open[host]


class _Prompt:
    """A call's messages, the first of which has to come in time."""

    def __init__(self, messages: AsyncIterator[Any], timeout_s: float) -> None:
        self._messages = aiter(messages)
        self._timeout_s: float | None = timeout_s

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        """Raises InvalidInput: UNREADABLE_MESSAGE; DeadlinePassed: FIRST_MESSAGE_TIMEOUT."""
        timeout_s, self._timeout_s = self._timeout_s, None
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self._messages)
        except TimeoutError:
            raise DeadlinePassed(
                "FIRST_MESSAGE_TIMEOUT", f"nothing came within {timeout_s:g} s of the call's begin"
            ) from None
        except DecodeError as error:
            raise InvalidInput(
                "UNREADABLE_MESSAGE", f"what came is no message of this call: {error}"
            ) from None

    async def only(self) -> Any:
        """The one message of a unary call. Raises InvalidInput MESSAGE_MISSING."""
        async for message in self:
            return message
        raise InvalidInput("MESSAGE_MISSING", "the call brought no message")
