"""Displays that send anything but what a display sends; the one beside them misses nothing."""

from __future__ import annotations

import asyncio
import json
import random
from urllib.parse import urlsplit

import aiohttp

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal

_DISPLAYS = 120
_UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_EVENTS = "GET {path} HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: {last}\r\n\r\n"


def frame(chance: random.Random) -> bytes:
    """A frame of a WebSocket (RFC 6455, 5.2), right or with any part of it wrong."""
    first = chance.choice((0x81, 0x82, 0x88, 0x89, 0x8A, 0x01, 0x80, 0xF1, chance.randrange(256)))
    payload = chance.randbytes(chance.choice((0, 1, 2, 30, 125)))
    if chance.random() < 0.3:
        payload = json.dumps({"finish": chance.choice((True, [], "\0"))}).encode()
    length = chance.choice((len(payload), len(payload), 126, 127, chance.randrange(128)))
    is_masked = chance.random() < 0.8
    mask = chance.randbytes(4) if is_masked else b""
    return bytes((first, length | 0x80 * is_masked)) + mask + payload


def sent(chance: random.Random) -> bytes:
    """All that a display sends: a request, right but for its values, and frames after it."""
    query = "".join(
        chance.choice(("session=", "&", "after=", "language=", "1", "-", "%00", "%ff", "es,", "9"))
        for _ in range(chance.randrange(8))
    )
    if chance.random() < 0.3:
        last = chance.choice(("1", "-1", "9" * 30, "x", "\u00b2", ""))
        return _EVENTS.format(path=f"/events?{query}", last=last).encode()
    path = chance.choice(("/ws", f"/ws?{query}", "/operator/microphone"))
    frames = b"".join(frame(chance) for _ in range(chance.randrange(6)))
    return _UPGRADE.format(path=path).encode() + frames


async def visit(host: str, port: int, seed: int) -> None:
    """One that leaves without a word; whatever it was answered."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(sent(random.Random(seed)))
        await asyncio.wait_for(reader.read(1 << 16), 10)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


async def test_hostile_displays_are_let_go_and_the_one_beside_them_misses_nothing(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    web = str(captions.web)  # type: ignore[attr-defined]
    address = urlsplit(web)
    assert address.hostname
    assert address.port
    async with aiohttp.ClientSession() as http, http.ws_connect(f"{web}/ws") as display:
        while "caught_up" not in await display.receive_json(timeout=10):
            pass
        for number in range(_DISPLAYS):
            await visit(address.hostname, address.port, number)
            if number % 10 == 0:
                journal.say(number, "one", f"uno {number}")
                texts: set[str] = set()
                while f"uno {number}" not in texts:
                    event = await display.receive_json(timeout=10)
                    texts.add(event.get("caption", {}).get("stable_text", ""))
        async with http.get(f"{web}/sessions") as answer:
            assert answer.status == 200
    log = captions.log_path.read_text()
    assert "Traceback" not in log
    assert captions.stop() == 0
