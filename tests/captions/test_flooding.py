"""Displays that talk without end: they wait, and nobody else."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal

# What the operating system keeps for a connection that is not read is less.
FLOOD_BYTES = 64 * 1024 * 1024
STALLED_S = 2.0
MASK = bytes(4)
TALK = {
    "texts": (b"\x81\x81" + MASK + b"?") * 20_000,
    "pings": (b"\x89\x81" + MASK + b"?") * 20_000,
}
UPGRADE = (
    "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.mark.parametrize("kind", list(TALK))
async def test_who_talks_without_end_is_not_listened_to_without_end(
    journal: ScriptedJournal, start_captions: StartCaptions, kind: str
) -> None:
    captions = await start_captions()
    address = urlsplit(str(captions.web))  # type: ignore[attr-defined]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(UPGRADE.encode())
    await reader.readuntil(b"\r\n\r\n")
    listening = asyncio.create_task(_read_all(reader))
    assert await _sent_bytes(writer, TALK[kind]) < FLOOD_BYTES
    writer.transport.abort()
    await listening


async def test_a_display_that_says_little_is_answered_and_goes_on(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions()
    web = str(captions.web)  # type: ignore[attr-defined]
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{web}/ws", autoping=False) as ws:
        assert "caught_up" in (await ws.receive_json(timeout=10))
        for number in range(20):
            await ws.send_str("still here")
            await ws.ping(b"%d" % number)
            pong = await ws.receive(timeout=10)
            assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"%d" % number)
        journal.start_session()
        assert "session_started" in (await ws.receive_json(timeout=10))


async def _sent_bytes(writer: asyncio.StreamWriter, talk: bytes) -> int:
    """What could be sent until nobody took it, or until it was too much."""
    sent_bytes = 0
    while sent_bytes < FLOOD_BYTES:
        writer.write(talk)
        try:
            await asyncio.wait_for(writer.drain(), STALLED_S)
        except TimeoutError:
            break
        sent_bytes += len(talk)
    return sent_bytes


async def _read_all(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(1 << 16):
            pass
    except ConnectionError:
        pass
