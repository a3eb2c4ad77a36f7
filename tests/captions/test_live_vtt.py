"""WebVTT that grows while people speak."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from glossa.gateway.v1 import gateway_pb2 as gateway
from tests.captions.conftest import StartCaptions
from tests.captions.subtitle_files import ReadCue, read_subtitles
from tests.captions.test_transcripts import hide, refusal
from tests.captions.upstream import ScriptedJournal, draft, final, translated
from tests.processes import ServiceProcess

_CUTS = 'glossa_captions_cuts_total{reason="SLOW_CONSUMER"}'
_LONG = f"{40 * 'x'} " * 50  # 2 kB in few words
_FINALS = 1500
_DEADLINE_S = 60.0


class Player:
    """Reads a growing file."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self._answer = answer
        self.content = ""

    async def until(self, text: str) -> None:
        async with asyncio.timeout(_DEADLINE_S):
            while text not in self.content:
                piece = await self._answer.content.readany()
                assert piece, f"it ended without {text!r}: {self.content[-500:]!r}"
                self.content += piece.decode()

    async def until_end(self) -> list[ReadCue]:
        async with asyncio.timeout(_DEADLINE_S):
            self.content += (await self._answer.content.read()).decode()
        return read_subtitles(self.content, "vtt")


@asynccontextmanager
async def playing(captions: ServiceProcess, query: str = "") -> AsyncIterator[Player]:
    url = f"{captions.web}/sessions/sunday/live.vtt{query}"  # type: ignore[attr-defined]
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/vtt"
        yield Player(answer)


async def test_cues_come_as_finals_do_and_the_file_ends_with_the_session(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    journal.correct(1, "es", "uno, corregido")
    journal.say(2, "two", "dos")
    captions = await start_captions()
    async with playing(captions) as player:
        await player.until("dos")
        assert player.content == (
            "WEBVTT\n\n1\n00:00:04.000 --> 00:00:07.000\nuno, corregido\n"
            "\n2\n00:00:08.000 --> 00:00:11.000\ndos\n"
        )
        journal.live(translation=draft(3, 1, "sin terminar"))
        journal.say(3, "three & <b>", "tres & <b>")
        await player.until("tres")
        journal.correct(3, "es", "tres, too late")
        journal.append("sunday", translation=translated(4, "cuatro", "es"))
        await player.until("cuatro")
        journal.end_session()
        read = await player.until_end()
    assert [each.lines for each in read] == [
        ("uno, corregido",),
        ("dos",),
        ("tres & <b>",),
        ("cuatro",),
    ]
    starts_ms = [each.start_ms for each in read]
    assert starts_ms == sorted(starts_ms)
    async with playing(captions, "?language=en&offset=-0:04") as player:  # it is over
        assert [(each.start_ms, each.lines) for each in await player.until_end()] == [
            (0, ("one",)),
            (4000, ("two",)),
            (8000, ("three & <b>",)),
        ]


async def test_what_is_hidden_is_not_sent_until_it_is_shown(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number, word in ((1, "uno"), (2, "secreto"), (3, "tres")):
        journal.say(number, "-", word)
    hide(journal, 2)
    captions = await start_captions()
    async with playing(captions) as player:
        await player.until("tres")
        assert "secreto" not in player.content
        hide(journal, 2, is_hidden=False)
        await player.until("secreto")


async def test_a_forgotten_session_breaks_the_file_off(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    async with playing(captions) as player:
        await player.until("uno")
        journal.append("sunday", session_forgotten=gateway.SessionForgotten())
        with pytest.raises(aiohttp.ClientPayloadError):
            await player.until_end()


async def test_wrong_requests_get_an_answer_and_no_file(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(viewer_limit=1)
    assert await refusal(captions, "sunday/live.vtt?language=de") == (404, "UNKNOWN_LANGUAGE")
    assert await refusal(captions, "monday/live.vtt") == (404, "UNKNOWN_SESSION")
    assert await refusal(captions, "sunday/live.vtt?offset=x") == (400, "INVALID_REQUEST")
    async with playing(captions) as player:
        await player.until("WEBVTT")
        assert await refusal(captions, "sunday/live.vtt") == (429, "TOO_MANY_VIEWERS")


async def test_a_player_that_does_not_read_is_cut_and_others_get_all(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(write_timeout_s=0.5, viewer_queue_events=5000)
    host, port = str(captions.web).removeprefix("http://").split(":")
    async with playing(captions, "?language=en") as other:
        stalled = socket.socket()
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect((host, int(port)))
        path = "/sessions/sunday/live.vtt?language=en"
        stalled.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
        await asyncio.to_thread(stalled.recv, 1)  # it is being served, and reads no further
        for number in range(1, _FINALS + 1):
            journal.append("sunday", transcript=final(number, f"final-{number} {_LONG}"))
        await other.until(f"final-{_FINALS}\n")
        async with asyncio.timeout(_DEADLINE_S), aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"http://{captions.http_address}/metrics") as answer:
                    if f"{_CUTS} 1.0" in await answer.text():
                        break
                await asyncio.sleep(0.05)
        stalled.close()
