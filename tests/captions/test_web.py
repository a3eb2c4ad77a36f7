"""The WebSocket, the lists and the headers of the web port."""

from __future__ import annotations

import asyncio
import re
import signal
from typing import Any

import aiohttp
import pytest

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, final, partial, translated


async def _read_until(socket: aiohttp.ClientWebSocketResponse, field: str) -> list[dict[str, Any]]:
    events = []
    async with asyncio.timeout(15):
        while True:
            events.append(await socket.receive_json())
            if field in events[-1]:
                return events


async def test_the_websocket_sends_the_same_events_as_json(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    last = journal.say(1, "grace & <peace>", "gracia & <paz>")
    captions = await start_captions()
    url = f"{captions.web}/ws?session=sunday&language=es"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        started, caption, caught_up = await _read_until(socket, "caught_up")
        assert started["session_started"] == {
            "title": "A sermon",
            "source_language": "en",
            "target_languages": ["es"],
        }
        assert caption["sequence"] == last
        assert (caption["session_id"], caption["journal_id"]) == ("sunday", "journal-1")
        assert caption["caption"] == {
            "segment_id": 1,
            "language": "es",
            "revision": 9,
            "is_final": True,
            "stable_text": "gracia & <paz>",
            "unstable_text": "",
            "start_offset_ms": 4000,
            "end_offset_ms": 7000,
            "is_source": False,
            "is_corrected": False,
            "endpoint_offset_ms": 7600,
            "engine_ms": 150.0,
            "model": "apertium/eng-spa",
        }
        assert caught_up["caught_up"] == {"sequence": last + 1}
        journal.live(transcript=partial(2, 1, "not", "wanted"))
        journal.live(translation=draft(2, 1, "sin terminar"))
        (live,) = await _read_until(socket, "caption")
        assert (live["sequence"], live["time"]) == (0, None)
        assert live["caption"]["unstable_text"] == "sin terminar"


async def test_the_websocket_resumes_after_a_sequence(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    seen = journal.say(1, "one", "uno")
    last = journal.say(2, "two", "dos")
    captions = await start_captions()
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{captions.web}/ws?session=sunday&after={seen}") as socket:
            events = await _read_until(socket, "caught_up")
        assert [event["sequence"] for event in events] == [last - 1, last, 0]
        url = f"{captions.web}/ws?after={last + 100}"
        async with http.ws_connect(url) as socket:
            (refused,) = await _read_until(socket, "error")
            assert refused["error"]["reason"] == "SEQUENCE_AHEAD"
            assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 4416
        async with http.get(f"{captions.web}/ws?after=-1") as answer:
            assert answer.status == 400


async def test_a_stop_closes_websockets_with_1012(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions()
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(f"{captions.web}/ws") as socket,
    ):
        await _read_until(socket, "caught_up")
        captions.signal(signal.SIGTERM)
        (last,) = await _read_until(socket, "error")
        assert last["error"]["reason"] == "SHUTTING_DOWN"
        assert (await socket.receive()).type == aiohttp.WSMsgType.CLOSE
        assert socket.close_code == 1012
    assert captions.stop() == 0


async def test_another_sites_page_may_not_open_the_websocket(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(allowed_origins="https://displays.example.org")
    allowed = (str(captions.web), "https://displays.example.org")
    async with aiohttp.ClientSession() as http:
        for origin in ("https://evil.example", "null", f"{captions.web}0", "http://localhost"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(f"{captions.web}/ws", origin=origin)
            assert refused.value.status == 403
        for origin in allowed:
            async with http.ws_connect(f"{captions.web}/ws", origin=origin) as socket:
                await _read_until(socket, "caught_up")


async def test_every_answer_forbids_what_the_page_does_not_need(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions()
    paths = (
        "/",
        "/phone/phone.js",
        "/phone/phone.css",
        "/shared/icon.svg",
        "/sessions",
        "/nowhere",
    )
    async with aiohttp.ClientSession() as http:
        for path in paths:
            async with http.get(captions.web + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert answer.status == (404 if path == "/nowhere" else 200)
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert policy.startswith("default-src 'none'; script-src 'self'")
            assert "unsafe" not in policy
        for path in ("/..%2f__init__.py", "/../settings.py", "/pages/index.html"):
            async with http.get(captions.web + path) as answer:
                assert answer.status == 404


async def test_sessions_are_listed_newest_first(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session("early")
    journal.end_session("early")
    journal.start_session("late", title="Evening", targets=("es", "fr"))
    captions = await start_captions()
    async with aiohttp.ClientSession() as http, http.get(f"{captions.web}/sessions") as answer:
        late, early = (await answer.json())["sessions"]
    assert late.pop("start_time").startswith("2026-")
    assert late == {
        "session_id": "late",
        "title": "Evening",
        "source_language": "en",
        "target_languages": ["es", "fr"],
        "is_live": True,
        "is_held": False,
    }
    assert (early["session_id"], early["is_live"]) == ("early", False)


async def test_a_sessions_finals_are_valid_webvtt(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session(targets=("es-MX",))
    for number in (2, 1):
        journal.append("sunday", transcript=final(number, f"line {number} --> a < b\n\n& c"))
        journal.append("sunday", translation=translated(number, f"línea {number}", "es-MX"))
    journal.append("sunday", transcript=final(1000, "long after"))
    journal.correct(1, "es-MX", "línea uno")
    captions = await start_captions()
    base = f"{captions.web}/sessions/sunday/captions.vtt"
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{base}?language=es") as answer:
            assert answer.content_type == "text/vtt"
            spanish = await answer.text()
        async with http.get(f"{base}?language=en") as answer:
            english = await answer.text()
        async with http.get(f"{base}?language=de") as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["reason"] == "UNKNOWN_LANGUAGE"
        async with http.get(f"{captions.web}/sessions/monday/captions.vtt") as answer:
            assert answer.status == 404
            assert (await answer.json())["error"]["reason"] == "UNKNOWN_SESSION"
    assert spanish == (
        "WEBVTT\n\n1\n00:00:04.000 --> 00:00:07.000\nlínea uno\n\n"
        "2\n00:00:08.000 --> 00:00:11.000\nlínea 2\n"
    )
    header, *cues = english.rstrip("\n").split("\n\n")
    assert header == "WEBVTT"
    assert len(cues) == 3
    timing = re.compile(r"\d\d:[0-5]\d:[0-5]\d\.\d{3} --> \d\d:[0-5]\d:[0-5]\d\.\d{3}")
    for cue in cues:
        _, times, *text = cue.split("\n")
        assert timing.fullmatch(times)
        assert len(text) == 1
        assert "-->" not in text[0]
        assert "<" not in text[0]
    assert cues[0].endswith("line 1 --&gt; a &lt; b &amp; c")
    assert "01:06:40.000 --> 01:06:43.000" in cues[2]


async def test_a_taken_web_port_is_one_clear_line(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    first = await start_captions()
    with pytest.raises(RuntimeError, match="PORT_TAKEN") as failed:
        await start_captions(web_port=first.web.rsplit(":", 1)[1])
    assert "Traceback" not in str(failed.value)
