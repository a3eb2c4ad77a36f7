"""A session that the gateway forgot is gone from every display, and does not come back."""

from __future__ import annotations

import asyncio
import gc
import json

import aiohttp
import grpc

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.captions.app import CaptionsApp
from services.captions.events import Event
from services.captions.settings import CaptionsSettings
from services.errors import reason_of
from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.displays import sessions, subscribed
from tests.captions.upstream import ScriptedJournal, partial


def forget(journal: ScriptedJournal, session_id: str = "sunday") -> int:
    """The events of the session go, and one stays, as a gateway leaves it."""
    sequence = journal.append(session_id, session_forgotten=gateway.SessionForgotten())
    for event in journal.events[:-1]:
        if event.session_id == session_id:  # its place stays: sequences never move
            event.ClearField(str(event.WhichOneof("event")))
    return sequence


async def test_displays_are_told_and_those_of_the_session_alone_end(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    journal.start_session("monday")
    captions = await start_captions()
    async with (
        subscribed(captions.address) as everything,
        subscribed(captions.address, session_id="sunday") as alone,
    ):
        await everything.until_caught_up()
        await alone.until_caught_up()
        journal.live(transcript=partial(2, 7, "tw", ""))
        await everything.until(lambda event: event.caption.segment_id == 2)
        sequence = forget(journal)
        assert reason_of(await alone.failure()) == "UNKNOWN_SESSION"
        assert alone.events[-1].HasField("session_forgotten")
        told = (await everything.until_sequence(sequence))[-1]
        assert told.HasField("session_forgotten")
        assert told.session_id == "sunday"
        last = journal.say(1, "three", "tres", session_id="monday")
        await everything.until_sequence(last)  # other sessions go on
    assert [each.session_id for each in await sessions(captions.address)] == ["monday"]
    async with subscribed(captions.address, session_id="sunday") as display:
        assert reason_of(await display.failure()) == "UNKNOWN_SESSION"


async def test_what_comes_late_brings_nothing_back(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        await display.until_sequence(forget(journal))
        journal.live(transcript=partial(2, 7, "late", ""))
        journal.say(2, "late", "tarde")
        last = journal.start_session("monday")
        await display.until_sequence(last)
        assert display.texts == []
    assert [each.session_id for each in await sessions(captions.address)] == ["monday"]


async def test_a_display_that_was_away_learns_of_it_through_a_chain_of_relays(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    seen = journal.say(1, "one", "uno")
    captions = await start_captions()
    relay = await start_captions(upstream_kind="captions", upstream_address=captions.address)
    async with subscribed(relay.address) as display:
        await display.until_caught_up()
        await display.until_sequence(forget(journal))
    late_relay = await start_captions(upstream_kind="captions", upstream_address=relay.address)
    for service in (captions, relay, late_relay):
        async with subscribed(service.address, after_sequence=seen) as display:
            events = await display.until_caught_up()
            assert [event.WhichOneof("event") for event in events] == [
                "session_forgotten",
                "caught_up",
            ]
        assert await sessions(service.address) == []


async def test_the_websocket_names_it_and_the_file_of_captions_is_gone(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    vtt_url = f"{captions.web}/sessions/sunday/captions.vtt?language=es"
    async with aiohttp.ClientSession() as http:
        async with http.ws_connect(f"{captions.web}/ws?session=sunday") as socket:
            async with asyncio.timeout(15):
                while "caught_up" not in await socket.receive_json():
                    pass
                sequence = forget(journal)
                told = await socket.receive_json()
                assert (told["sequence"], told["session_forgotten"]) == (sequence, {})
                assert (await socket.receive_json())["error"]["reason"] == "UNKNOWN_SESSION"
        async with http.get(vtt_url) as response:
            assert response.status == 404


async def test_no_text_of_it_stays_in_memory(journal: ScriptedJournal, base: int) -> None:
    # A name of its own: what other tests of this process still hold is of "sunday".
    session_id = "kept-nowhere"
    journal.start_session(session_id)
    journal.say(1, "one", "uno", session_id=session_id)
    settings = CaptionsSettings(
        upstream_address=f"127.0.0.1:{port('gateway', base)}",
        web_port=port("captions_web", base),
    )
    app = CaptionsApp(settings)
    server = grpc.aio.server()
    app.register(server)
    address = f"127.0.0.1:{port('captions', base)}"
    server.add_insecure_port(address)
    await server.start()
    try:
        async with (
            app.running(),
            asyncio.timeout(15),
            subscribed(address) as display,
            aiohttp.ClientSession() as http,
            http.ws_connect(f"http://127.0.0.1:{settings.web_port}/ws") as socket,
        ):
            await display.until_caught_up()
            while "caught_up" not in await socket.receive_json():
                pass
            assert len(captions_in_memory(session_id)) == 2
            await display.until_sequence(forget(journal, session_id))
            while "session_forgotten" not in json.loads(await socket.receive_str()):
                pass
            assert captions_in_memory(session_id) == []
    finally:
        await server.stop(0)


def captions_in_memory(session_id: str) -> list[Event]:
    gc.collect()
    return [
        each
        for each in gc.get_objects()
        if isinstance(each, Event)
        and each.session_id == session_id
        and hasattr(each.body, "stable_text")
    ]
