"""A channel that brings a bearer token with every call, over TLS as over plaintext.

gRPC's own call credentials refuse plaintext, and its aio interceptors put calls of their own
around the real ones, which tell less of how a stream ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import grpc

_KEY = "authorization"


class BearerChannel(grpc.aio.Channel):
    """`inner`, with the token on each call that brings none of its own."""

    def __init__(self, inner: grpc.aio.Channel, token: str) -> None:
        self._inner = inner
        self._token = token

    async def __aenter__(self) -> BearerChannel:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._inner.__aexit__(*error)

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()

    def unary_unary(self, *method: Any, **more: Any) -> Any:
        return _with_token(self._inner.unary_unary(*method, **more), self._token)

    def unary_stream(self, *method: Any, **more: Any) -> Any:
        return _with_token(self._inner.unary_stream(*method, **more), self._token)

    def stream_unary(self, *method: Any, **more: Any) -> Any:
        return _with_token(self._inner.stream_unary(*method, **more), self._token)

    def stream_stream(self, *method: Any, **more: Any) -> Any:
        return _with_token(self._inner.stream_stream(*method, **more), self._token)


def _with_token(call: Callable[..., Any], token: str) -> Callable[..., Any]:
    def calling(*request: Any, metadata: Any = None, **more: Any) -> Any:
        return call(*request, metadata=metadata_with(metadata, token), **more)

    return calling


def metadata_with(
    metadata: Sequence[tuple[str, str | bytes]] | None, token: str
) -> tuple[tuple[str, str | bytes], ...]:
    """The metadata of a call, and the token unless the call has one of its own."""
    given = tuple(metadata or ())
    if any(key.lower() == _KEY for key, _ in given):
        return given
    return (*given, (_KEY, f"Bearer {token}"))


class BearerInterceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """The same for a channel without an event loop."""

    def __init__(self, token: str) -> None:
        self._token = token

    def _intercept(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        metadata = metadata_with(details.metadata, self._token)
        return continuation(details._replace(metadata=metadata), request)

    intercept_unary_unary = _intercept
    intercept_unary_stream = _intercept
    intercept_stream_unary = _intercept
    intercept_stream_stream = _intercept
