"""A token goes with every call, whatever its kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.channels import (
    Identity,
    current_identity,
    identify,
    open_blocking_channel,
    open_channel,
)

TOKEN = "a-token-of-this-test"
KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class Echo(grpc.GenericRpcHandler):
    """Answers each call, of any kind, with the authorization that it brought."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        brought = [value for key, value in details.invocation_metadata if key == "authorization"]
        told = "|".join(map(str, brought)).encode()
        kind = details.method.rpartition("/")[2]

        async def unary(request: Any, context: Any) -> bytes:
            return told

        async def stream(request: Any, context: Any) -> AsyncIterator[bytes]:
            yield told

        factory = getattr(grpc, f"{kind}_rpc_method_handler")
        return factory(stream if kind.endswith("stream") else unary)


@pytest_asyncio.fixture
async def address() -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Echo(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
def bringing_a_token() -> Iterator[None]:
    before = current_identity()
    identify(Identity(token=TOKEN))
    yield
    identify(before)


async def _told(channel: grpc.aio.Channel, kind: str, **more: Any) -> str:
    method = getattr(channel, kind)(f"/echo/{kind}")
    request = iter([b"x"]) if kind.startswith("stream") else b"x"
    call = method(request, timeout=10, **more)
    if kind.endswith("stream"):
        return b"".join([message async for message in call]).decode()
    return (await call).decode()


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_call_brings_the_token(
    address: str, kind: str, bringing_a_token: None
) -> None:
    async with open_channel(address) as channel:
        assert await _told(channel, kind) == f"Bearer {TOKEN}"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_with_a_token_of_its_own_brings_that_alone(
    address: str, kind: str, bringing_a_token: None
) -> None:
    async with open_channel(address) as channel:
        metadata = (("authorization", "Bearer another"),)
        assert await _told(channel, kind, metadata=metadata) == "Bearer another"


@pytest.mark.parametrize("kind", KINDS)
async def test_so_does_a_call_without_an_event_loop(
    address: str, kind: str, bringing_a_token: None
) -> None:
    def told() -> bytes:
        with open_blocking_channel(address) as channel:
            request = iter([b"x"]) if kind.startswith("stream") else b"x"
            answer = getattr(channel, kind)(f"/echo/{kind}")(request, timeout=10)
            return b"".join(answer) if kind.endswith("stream") else answer

    assert (await asyncio.to_thread(told)).decode() == f"Bearer {TOKEN}"


@pytest.mark.parametrize("kind", KINDS)
async def test_who_has_no_token_brings_none(address: str, kind: str) -> None:
    async with open_channel(address) as channel:
        assert await _told(channel, kind) == ""
