"""One host that takes all it can get of the web port; a display beside it misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import zlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal
from tests.memory import MIB, growth_below
from tests.processes import ServiceProcess

MASK = bytes(4)
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate\r\n"


def port_of(captions: ServiceProcess) -> int:
    port = urlsplit(str(captions.web)).port  # type: ignore[attr-defined]
    assert port is not None
    return port


@contextlib.contextmanager
def connections(captions: ServiceProcess, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """So many of them from this machine, of which each sends the same and then nothing."""
    with contextlib.ExitStack() as stack:
        opened = []
        for _ in range(count):
            address = ("127.0.0.1", port_of(captions))
            opened.append(stack.enter_context(socket.create_connection(address, 5)))
            opened[-1].sendall(sent)
        yield opened


async def answered(captions: ServiceProcess, sent: bytes) -> bytes:
    """All that comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(captions))
    writer.write(sent)
    got = b""
    try:
        async with asyncio.timeout(20):
            while more := await reader.read(1 << 16):
                got += more
    except ConnectionError:
        pass
    finally:
        writer.close()
    return got


def upgrade(path: str, more: str = "") -> bytes:
    return UPGRADE.format(path=path, more=more).encode()


def text_frame(payload: bytes, first_byte: int = 0x81) -> bytes:
    """One masked frame (RFC 6455, 5.2)."""
    return bytes([first_byte, 0xFE]) + struct.pack(">H", len(payload)) + MASK + payload


def close_code(answer: bytes) -> int:
    """Of the close frame at the end of what the server sent."""
    at = answer.rindex(b"\x88")
    return int(struct.unpack(">H", answer[at + 2 : at + 4])[0])


async def a_display(
    http: aiohttp.ClientSession, captions: ServiceProcess
) -> aiohttp.ClientWebSocketResponse:
    display = await http.ws_connect(f"{captions.web}/ws")  # type: ignore[attr-defined]
    assert "caught_up" in await display.receive_json(timeout=10)
    return display


async def test_a_host_has_as_many_connections_as_it_may_and_one_more_gets_a_429(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(web_connections_per_host=20)
    async with aiohttp.ClientSession() as http:
        display = await a_display(http, captions)
        halves = b"GET /ws HTTP/1.1\r\nHost: local"
        with (
            growth_below(captions.pid, 16 * MIB),
            connections(captions, 19, halves),
            connections(captions, 1, halves) as further,
        ):
            head, _, body = received(further[0]).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 429 ")
            assert b"Retry-After: 5" in head
            assert json.loads(body)["error"]["reason"] == "TOO_MANY_CONNECTIONS"
            journal.start_session()
            assert "session_started" in await display.receive_json(timeout=10)
        async with asyncio.timeout(10):  # those that have left are let go
            while (await http.get(f"{captions.web}/access")).status != 200:
                await asyncio.sleep(0.05)


async def test_a_flood_of_reconnects_is_no_more_than_one_connection(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(web_connections_per_host=20)
    async with aiohttp.ClientSession() as http:
        display = await a_display(http, captions)
        with growth_below(captions.pid, 16 * MIB):
            for number in range(300):
                other = await a_display(http, captions)
                if number % 2:
                    await other.close()
                else:  # without a word
                    other._response.connection.transport.abort()
        journal.start_session()
        assert "session_started" in await display.receive_json(timeout=10)
    open_displays = 'glossa_captions_viewers{transport="websocket"}'
    async with aiohttp.ClientSession() as http, asyncio.timeout(20):
        while f"{open_displays} 0.0" not in await metrics(http, captions):
            await asyncio.sleep(0.1)


async def test_a_message_below_4096_bytes_is_taken_and_one_of_4096_closes_the_socket(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions()
    async with aiohttp.ClientSession() as http:
        display = await a_display(http, captions)
        await display.send_str("x" * 4095)
        journal.start_session()
        assert "session_started" in await display.receive_json(timeout=10)
        await display.send_str("x" * 4096)
        closed = await display.receive(timeout=10)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1009)


@pytest.mark.parametrize(("path", "code"), [("/ws", 1002), ("/operator/events", 1009)])
async def test_a_compressed_message_is_no_way_around_the_limit(
    journal: ScriptedJournal, start_captions: StartCaptions, path: str, code: int
) -> None:
    """/ws compresses nothing, so that nothing compressed is understood there."""
    captions = await start_captions()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packer.compress(bytes(32 * 1024 * 1024)) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert len(bomb) < 65_536
    async with aiohttp.ClientSession() as http:
        display = await a_display(http, captions)
        with growth_below(captions.pid, 16 * MIB):
            for _ in range(3):
                sent = upgrade(path, DEFLATE) + text_frame(bomb[:-4], 0xC1)
                answer = await answered(captions, sent)
                assert answer.startswith(b"HTTP/1.1 101")
                assert close_code(answer) == code
        journal.start_session()
        assert "session_started" in await display.receive_json(timeout=10)


async def test_a_request_with_too_much_of_a_head_is_refused(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions()
    for head in (
        b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 129 + b"\r\n",
    ):
        answer = await answered(captions, head)
        assert answer.split()[1] == b"400"
    enough = b"Host: localhost\r\nConnection: close\r\n" + b"X: x\r\n" * 120
    enough = b"GET /access HTTP/1.1\r\n" + enough + b"X: " + b"x" * 8_000 + b"\r\n\r\n"
    assert (await answered(captions, enough)).split()[1] == b"200"


async def test_a_body_of_32_kib_is_read_and_a_longer_one_is_not(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(view_token="a-token-of-the-test")
    async with aiohttp.ClientSession() as http:
        for size_bytes, status, reason in (
            (32 * 1024, 401, "TOKEN_"),
            (32 * 1024 + 1, 413, "BODY_TOO_LARGE"),
        ):
            body = b'{"token": "%s"}' % (b"x" * (size_bytes - 13))
            assert len(body) == size_bytes
            json_type = {"Content-Type": "application/json"}
            async with http.post(f"{captions.web}/sign-in", data=body, headers=json_type) as answer:
                assert answer.status == status
                assert (await answer.json())["error"]["reason"].startswith(reason)


def received(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    got = b""
    with contextlib.suppress(ConnectionError):
        while more := connection.recv(4096):
            got += more
    return got


async def metrics(http: aiohttp.ClientSession, captions: ServiceProcess) -> str:
    async with http.get(f"http://{captions.http_address}/metrics") as answer:
        return await answer.text()
