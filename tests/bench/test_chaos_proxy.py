"""The proxy of `./glossa chaos` delays, holds up and resets connections, and alters nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from random import Random

import pytest

from bench.chaos.proxy import Proxy, Weather
from tests.processes import free_port_base

_TIMEOUT_S = 20.0


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """In front of a server that sends everything back."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1024):
            writer.write(data)
        writer.close()

    base = free_port_base()
    async with await asyncio.start_server(echo, "127.0.0.1", base):
        proxy = Proxy(base + 1, f"127.0.0.1:{base}", Random(1))
        async with proxy.listening():
            yield proxy


async def connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = proxy.address.partition(":")
    return await asyncio.open_connection(host, int(port))


async def test_everything_comes_through_in_order(proxy: Proxy) -> None:
    proxy.weather = Weather(latency_s=0.01, loss=0.05)
    reader, writer = await connect(proxy)
    sent = Random(2).randbytes(200_000)
    async with asyncio.timeout(_TIMEOUT_S):
        writer.write(sent)
        assert await reader.readexactly(len(sent)) == sent
    writer.close()


async def test_it_takes_at_least_the_latency_in_each_direction(proxy: Proxy) -> None:
    proxy.weather = Weather(latency_s=0.1)
    reader, writer = await connect(proxy)
    began_at = asyncio.get_running_loop().time()
    writer.write(b"word")
    async with asyncio.timeout(_TIMEOUT_S):
        assert await reader.readexactly(4) == b"word"
    assert asyncio.get_running_loop().time() - began_at >= 0.2
    writer.close()


async def test_a_partition_holds_everything_up_until_it_is_mended(proxy: Proxy) -> None:
    reader, writer = await connect(proxy)
    proxy.cut()
    writer.write(b"word")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await reader.readexactly(4)
    proxy.mend()
    async with asyncio.timeout(_TIMEOUT_S):
        assert await reader.readexactly(4) == b"word"
    writer.close()


async def test_a_reset_is_seen_by_the_client(proxy: Proxy) -> None:
    proxy.weather = Weather(reset=1.0)
    reader, writer = await connect(proxy)
    writer.write(b"word")
    async with asyncio.timeout(_TIMEOUT_S):
        with contextlib.suppress(ConnectionResetError):  # the same, seen earlier
            assert await reader.read(4) == b""
