"""What the channels of all clients here take of the services that they call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from services.channels import open_channel


class Zeros(grpc.GenericRpcHandler):
    """Answers with what is worth compressing."""

    def service(self, handler_call_details: Any) -> grpc.RpcMethodHandler:
        async def answer(request: Any, context: Any) -> bytes:
            return bytes(4096)

        return grpc.unary_unary_rpc_method_handler(answer)


@pytest_asyncio.fixture
async def address() -> AsyncIterator[str]:
    """Of a service that compresses."""
    server = grpc.aio.server(compression=grpc.Compression.Gzip)
    server.add_generic_rpc_handlers((Zeros(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield f"127.0.0.1:{port}"
    await server.stop(None)


async def test_a_compressed_answer_is_refused(address: str) -> None:
    """It could be of any size once it is inflated, from a service that somebody took over."""
    async with grpc.aio.insecure_channel(address) as channel:
        assert await channel.unary_unary("/any/Call")(b"", timeout=10) == bytes(4096)
    async with open_channel(address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await channel.unary_unary("/any/Call")(b"", timeout=10)
    # gRPC's own clients make one of it, or the other.
    assert failure.value.code() in {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNIMPLEMENTED}
