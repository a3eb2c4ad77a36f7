"""What a display or an operator has open when the token is revoked."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import grpc

from services.errors import reason_of
from services.token_file import Role, TokenEntry, hash_of, write_tokens
from tests.captions.conftest import StartCaptions
from tests.captions.displays import DEADLINE_S, subscribed
from tests.captions.upstream import ScriptedJournal

KEPT, LOST = "the-token-of-the-hall", "the-token-that-was-lost"


def token(name: str, role: Role, token: str) -> TokenEntry:
    return TokenEntry(name, role, hash_of(token))


async def test_every_open_stream_of_a_revoked_token_ends_with_the_reason(
    journal: ScriptedJournal, start_captions: StartCaptions, tmp_path: Path
) -> None:
    journal.start_session("sunday")
    book = tmp_path / "tokens.toml"
    hall = token("hall", Role.VIEW, KEPT)
    write_tokens(book, (hall, token("laptop", Role.OPERATE, LOST)))
    captions = await start_captions(tokens_file=book)
    url = str(captions.web)  # type: ignore[attr-defined]
    metadata = [("authorization", f"Bearer {LOST}")]
    async with (
        asyncio.timeout(4 * DEADLINE_S),
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {LOST}"}) as http,
        http.ws_connect(f"{url}/ws?token={KEPT}", headers={"Authorization": ""}) as kept,
        http.ws_connect(f"{url}/ws") as display,
        http.ws_connect(f"{url}/operator/microphone") as microphone,
        http.get(f"{url}/events") as events,
        http.get(f"{url}/sessions/sunday/live.vtt?language=es") as subtitles,
        subscribed(captions.address, metadata=metadata) as subscriber,
    ):
        await subscriber.until_caught_up()
        await subtitles.content.readline()
        for socket in (display, kept):
            while "caught_up" not in await socket.receive_json():
                pass
        write_tokens(book, [hall])
        refused = await subscriber.failure()
        assert refused.code() is grpc.StatusCode.UNAUTHENTICATED
        assert reason_of(refused) == "TOKEN_UNKNOWN"
        assert await last_reason(display) == "TOKEN_UNKNOWN"
        assert await last_reason(microphone) == "TOKEN_UNKNOWN"
        last = [line async for line in events.content if line.startswith(b"data:")][-1]
        assert json.loads(last.removeprefix(b"data:"))["error"]["reason"] == "TOKEN_UNKNOWN"
        try:
            await subtitles.content.read()
        except aiohttp.ClientError:  # so that a player sees that this was not the end
            pass
        else:
            raise AssertionError("it ended as a session does")
        journal.start_session("monday")
        while "session_started" not in await kept.receive_json():
            pass


async def last_reason(socket: aiohttp.ClientWebSocketResponse) -> str:
    """Of the message before the service closes the socket."""
    reason = ""
    async for message in socket:
        reason = json.loads(message.data).get("error", {}).get("reason", "")
    return str(reason)
