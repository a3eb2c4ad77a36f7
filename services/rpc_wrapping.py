"""What an interceptor puts around an RPC, whichever of the four kinds it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Any

import grpc

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler]]
# Given the request, or the iterator over requests, and the context; yields what to hand on.
Around = Callable[[Any, grpc.aio.ServicerContext], AbstractAsyncContextManager[Any]]


def is_grpcs_own(method: str) -> bool:
    """Whether it is of health or reflection, which gRPC brings along."""
    return method.startswith("/grpc.")


async def wrapped_if_ours(
    continuation: Continuation, details: grpc.HandlerCallDetails, around: Around
) -> grpc.RpcMethodHandler:
    """What an interceptor returns that puts `around` every RPC but gRPC's own."""
    handler = await continuation(details)
    if handler is None or is_grpcs_own(details.method):
        return handler
    return wrapped(handler, around)


def wrapped(handler: grpc.RpcMethodHandler, around: Around) -> grpc.RpcMethodHandler:
    """The same RPC, each call of it within `around`."""
    if handler.response_streaming:
        inner_stream = handler.unary_stream or handler.stream_stream

        async def stream(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            async with (
                around(request, context) as handed_on,
                aclosing(inner_stream(handed_on, context)) as responses,
            ):
                async for response in responses:
                    yield response

        return _streaming(handler, stream)
    inner_unary = handler.unary_unary or handler.stream_unary

    async def unary(request: Any, context: grpc.aio.ServicerContext) -> Any:
        async with around(request, context) as handed_on:
            return await inner_unary(handed_on, context)

    factory = (
        grpc.stream_unary_rpc_method_handler
        if handler.request_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return factory(unary, handler.request_deserializer, handler.response_serializer)


def writing(handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
    """The same RPC, which writes a stream's responses itself.

    Of responses that are yielded gRPC does the writing, outside of all that is `wrapped` around
    the RPC: a cancel that came while it waited for a slow reader would end the task, and send the
    caller no status. Here it goes through what is around.
    """
    if not handler.response_streaming:
        return handler
    yielding = handler.unary_stream or handler.stream_stream

    async def write(request: Any, context: grpc.aio.ServicerContext) -> None:
        async with aclosing(yielding(request, context)) as responses:
            async for response in responses:
                await context.write(response)

    return _streaming(handler, write)


def _streaming(handler: grpc.RpcMethodHandler, behavior: Any) -> grpc.RpcMethodHandler:
    factory = (
        grpc.stream_stream_rpc_method_handler
        if handler.request_streaming
        else grpc.unary_stream_rpc_method_handler
    )
    return factory(behavior, handler.request_deserializer, handler.response_serializer)
