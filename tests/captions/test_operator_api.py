"""What operators see and do over HTTP, against a real gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from glossa.gateway.v1 import gateway_pb2
from services.settings import port
from tests.captions.operated import DEADLINE_S, Operated, Socket, operated, own_operated
from tests.gateway.conftest import audio, open_stream, received
from tests.gateway.peers import sentence, sermon
from tests.processes import ServiceProcess, free_port_base
from tests.speech import chunks

__all__ = ["operated", "own_operated"]

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Speaking:
    """A session that is open: three sentences were said, and a speaker is connected."""

    def __init__(self, call: Any, session_id: str) -> None:
        self.call = call
        self.session_id = session_id

    async def __aenter__(self) -> Speaking:
        return self

    async def __aexit__(self, *raised: object) -> None:
        self.call.cancel()


async def speaking(operated: Operated) -> Speaking:
    call = operated.stack.calls.StreamAudio(timeout=60)
    opened = await open_stream(call, title="Sunday")
    pcm = sermon(range(1, 4))
    for first_sample, data in chunks(pcm):
        await call.write(audio(first_sample, data))
    await received(call, len(pcm))
    return Speaking(call, opened.session_id)


async def translated(operated: Operated, session_id: str, count: int = 3) -> None:
    """Waits until so many finals of a session are translated."""
    async with operated.socket(f"/operator/events?session={session_id}") as socket:
        for _ in range(count):
            await socket.until_event("translation")


async def test_status_says_what_the_gateway_and_captions_know(operated: Operated) -> None:
    async with await speaking(operated) as open_session, operated.socket("/ws") as display:
        await translated(operated, open_session.session_id)
        await display.until(lambda answer: "caught_up" in answer)
        status = await operated.status(
            lambda status: (
                all(each["state"] == "ENGINE_STATE_SERVING" for each in status["engines"])
                and any(each["final_count"] == 3 for each in status["sessions"])
            )
        )
        assert status["viewers"] == {"websocket": 1}
        assert status["is_upstream_connected"] is True
        assert status["screens"] == {
            "is_blank": False,
            "announcement": "",
            "language": "",
            "author": "",
        }
        assert {each["name"] for each in status["engines"]} == {"stt", "mt", "qe"}
        (session,) = (
            each for each in status["sessions"] if each["session_id"] == open_session.session_id
        )
        assert (session["title"], session["has_speaker"], session["is_held"]) == (
            "Sunday",
            True,
            False,
        )
        assert isinstance(session["unsettled_ms"], int)
        _, listed = await operated.get("/operator/sessions")
        (session,) = (
            each for each in listed["sessions"] if each["session_id"] == open_session.session_id
        )
        assert session["target_languages"] == ["es"]
        assert isinstance(session["last_sequence"], int)


async def test_many_who_ask_for_the_status_are_one_to_the_gateway(operated: Operated) -> None:
    async def asked() -> float:
        async with operated.http.get(f"http://{operated.stack.gateway.http_address}/metrics") as it:
            return sum(
                float(line.rsplit(" ", 1)[1])
                for line in (await it.text()).splitlines()
                if line.startswith("glossa_rpc_duration_seconds_count") and "/GetStatus" in line
            )

    before = await asked()
    started_at = asyncio.get_running_loop().time()
    async with asyncio.timeout(DEADLINE_S):
        while await asked() - before < 2:
            answers = await asyncio.gather(*(operated.get("/operator/status") for _ in range(20)))
            assert {status for status, _ in answers} == {200}
    elapsed_s = asyncio.get_running_loop().time() - started_at
    assert await asked() - before <= elapsed_s + 2


async def test_what_an_operator_does_reaches_the_journal_and_every_display(
    operated: Operated,
) -> None:
    async with await speaking(operated) as open_session:
        session = {"session_id": open_session.session_id}
        await translated(operated, open_session.session_id)
        path = f"session={open_session.session_id}"
        async with (
            operated.socket(f"/ws?{path}&language=es") as display,
            operated.socket(f"/operator/events?{path}") as operator,
        ):
            await display.until(lambda answer: "caught_up" in answer)
            deeds: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
                (
                    "correct",
                    {"segment_id": 1, "language": "es", "text": "La gracia"},
                    "correction",
                    {"segment_id": 1, "language": "es", "text": "La gracia", "author": "Ana"},
                ),
                (
                    "hide",
                    {"segment_id": 2, "is_hidden": True},
                    "segment_hidden",
                    {"segment_id": 2, "is_hidden": True, "author": "Ana"},
                ),
                ("hold", {"is_held": True}, "session_held", {"is_held": True, "author": "Ana"}),
                ("hold", {"is_held": False}, "session_held", {"is_held": False, "author": "Ana"}),
                ("reset", {}, "session_reset", {"segment_id": 3, "author": "Ana"}),
            ]
            for name, body, kind, expected in deeds:
                status, answer = await operated.post(
                    f"/operator/{name}", **session, **body, author="Ana"
                )
                assert status == 200, (name, answer)
                event = await operator.until_event(kind)
                assert (event["sequence"], event["session_id"]) == (
                    answer["sequence"],
                    open_session.session_id,
                )
                assert expected.items() <= event[kind].items()
                shown = {"correction": "caption"}.get(kind, kind)
                seen = await display.until(lambda answer, shown=shown: shown in answer)
                assert seen["sequence"] == answer["sequence"]
            screens = {"is_blank": True, "announcement": "Fire exit", "language": "en"}
            status, answer = await operated.post(
                "/operator/screens", screens={**screens, "author": "Ana"}
            )
            assert status == 200
            seen = await display.until(lambda answer: "screens" in answer)
            assert (seen["sequence"], seen["screens"]) == (answer["sequence"], screens)
        # It belongs to no session: an operator of one learns of it from the status.
        await operated.status(lambda status: status["screens"] == {**screens, "author": "Ana"})
        assert (await operated.post("/operator/screens", screens={}))[0] == 200
        status, answer = await operated.post("/operator/end", **session)
        events = await operated.stack.events(open_session.session_id)
        assert (status, answer["sequence"]) == (200, events[-1].sequence)
        assert events[-1].session_ended.reason == gateway_pb2.END_REASON_OPERATOR


@pytest.mark.parametrize(
    ("name", "body", "refusal"),
    [
        ("correct", {"session_id": "nobody's", "segment_id": 1}, (400, "EMPTY_TEXT")),
        ("correct", {"session_id": "x", "text": "x" * 2001}, (400, "TEXT_TOO_LONG")),
        ("hide", {"session_id": "nobody's", "segment_id": 1}, (404, "UNKNOWN_SESSION")),
        ("hold", {"session_id": "nobody's"}, (404, "UNKNOWN_SESSION")),
        ("reset", {"session_id": "nobody's"}, (404, "UNKNOWN_SESSION")),
        ("end", {"session_id": "nobody's"}, (404, "UNKNOWN_SESSION")),
        ("screens", {"screens": {"announcement": "x" * 501}}, (400, "TEXT_TOO_LONG")),
        ("screens", {"is_blank": True}, (400, "INVALID_REQUEST")),
        ("hide", {"segment": 1}, (400, "INVALID_REQUEST")),
        ("hide", {"segment_id": "one"}, (400, "INVALID_REQUEST")),
        ("hide", {"segment_id": 1e300}, (400, "INVALID_REQUEST")),
        ("hide", {"session_id": ["x"]}, (400, "INVALID_REQUEST")),
        ("correct", {"session_id": "x", "text": "\ud800"}, (400, "INVALID_REQUEST")),
    ],
)
async def test_what_cannot_be_done_is_refused_with_its_reason(
    operated: Operated, name: str, body: dict[str, Any], refusal: tuple[int, str]
) -> None:
    status, answer = await operated.post(f"/operator/{name}", **body)
    assert (status, answer["error"]["reason"]) == refusal
    assert answer["error"]["message"]


async def test_events_are_the_journal_and_what_is_not_in_it_yet(operated: Operated) -> None:
    call = operated.stack.calls.StreamAudio(timeout=60)
    session_id = (await open_stream(call)).session_id
    async with operated.socket(f"/operator/events?session={session_id}") as socket:
        started = await socket.until_event("session_started")
        assert started["session_started"]["config"]["target_languages"] == ["es"]
        await socket.until(lambda answer: "caught_up" in answer)
        for first_sample, data in chunks(sermon([7])):
            await call.write(audio(first_sample, data))
        live = await socket.until(lambda answer: "transcript" in answer.get("live", {}))
        assert live["live"]["session_id"] == session_id
        assert live["live"]["transcript"]["is_final"] is False
        spoken = await socket.until_event("transcript")
        assert spoken["transcript"]["stable_text"] == sentence(7)
        assert spoken["time"].endswith("Z")
        scored = await socket.until_event("pair_scored")
        assert scored["pair_scored"]["signals"][0]["name"] == "length_ratio"
        seen = [each["event"]["sequence"] for each in socket.answers if "event" in each]
    assert seen == sorted(seen)
    assert all(isinstance(sequence, int) for sequence in seen)
    # It goes on after what an operator has.
    path = f"/operator/events?session={session_id}&after={seen[1]}"
    async with operated.socket(path) as socket:
        await socket.until(lambda answer: "caught_up" in answer)
        again = [each["event"]["sequence"] for each in socket.answers if "event" in each]
        assert again == seen[2:]
    call.cancel()


async def test_events_that_cannot_be_followed_are_refused_with_a_reason(
    operated: Operated,
) -> None:
    async with operated.socket("/operator/events?session=nobodys") as socket:
        assert await socket.ending() == ("UNKNOWN_SESSION", 4404)
    async with operated.socket("/operator/events?after=999999") as socket:
        assert await socket.ending() == ("SEQUENCE_AHEAD", 4416)
    status, answer = await operated.get("/operator/events?after=x")
    assert (status, answer["error"]["reason"]) == (400, "INVALID_REQUEST")


async def test_seventeen_operators_do_not_watch_at_once(own_operated: Operated) -> None:
    path = "/operator/events"
    sockets = [await own_operated.http.ws_connect(path) for _ in range(16)]
    async with own_operated.socket(path) as further:
        assert await further.ending() == ("TOO_MANY_OPERATORS", 1013)
    await sockets.pop().close()
    assert "caught_up" in await own_operated.admitted(path)
    for socket in sockets:
        await socket.close()


async def test_a_killed_gateway_is_said_and_events_go_on_after_it(own_operated: Operated) -> None:
    session_id = await own_operated.stack.speak(sermon([1]))
    path = f"/operator/events?session={session_id}"
    async with own_operated.socket(path) as socket:
        caught_up = await socket.until(lambda answer: "caught_up" in answer)
        own_operated.stack.gateway.kill()
        assert await socket.ending() == ("GATEWAY_UNAVAILABLE", 1013)
    body = {"session_id": session_id, "segment_id": 1, "is_hidden": True}
    status, answer = await own_operated.post("/operator/hide", **body)
    assert (status, answer["error"]["reason"]) == (503, "GATEWAY_UNAVAILABLE")
    async with asyncio.timeout(DEADLINE_S):
        while (await own_operated.get("/operator/status"))[0] != 503:
            await asyncio.sleep(0.05)
    own_operated.stack.gateway.start()
    await own_operated.stack.gateway.wait_ready()
    await own_operated.status(lambda status: True)
    sequence = caught_up["caught_up"]["sequence"]
    async with own_operated.socket(f"{path}&after={sequence}") as socket:
        status, answer = await own_operated.post("/operator/hide", **body)
        assert status == 200
        event = await socket.until_event("segment_hidden")
        assert event["sequence"] == answer["sequence"] > sequence


async def test_a_relay_without_a_gateway_says_so(operated: Operated, tmp_path: Path) -> None:
    upstream = {"upstream_kind": "captions", "upstream_address": operated.captions.address}
    base = free_port_base()
    relay = ServiceProcess("captions", base, tmp_path, **upstream)
    relay.start()
    try:
        await relay.wait_ready()
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port('captions_web', base)}") as http:
            for path in ("/operator/status", "/operator/sessions"):
                async with http.get(path) as answer:
                    assert (answer.status, await reason(answer)) == (409, "NO_GATEWAY")
            async with http.post("/operator/hold", json={"session_id": "x"}) as answer:
                assert (answer.status, await reason(answer)) == (409, "NO_GATEWAY")
            for path in ("/operator/events", "/operator/microphone"):
                async with http.ws_connect(path) as socket:
                    await socket.send_str("{}")
                    assert await Socket(socket).ending() == ("NO_GATEWAY", 4400)
    finally:
        relay.kill()


async def reason(answer: aiohttp.ClientResponse) -> str:
    return str((await answer.json())["error"]["reason"])
