"""Captions in ProPresenter: `./glossa propresenter` between captions and the documented API."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from glossa.gateway.v1 import gateway_pb2 as gateway
from tests.captions.conftest import StartCaptions, base, journal, start_captions
from tests.captions.upstream import ScriptedJournal
from tests.cli.propresenter_api import ProPresenter
from tests.cli.running_verb import running_verb
from tests.processes import free_port_base
from tests.web.browser import settled

__all__ = ["base", "journal", "start_captions"]

BEGUN = ("captions go to ProPresenter", "captions come from")


@pytest.fixture
async def propresenter() -> AsyncIterator[ProPresenter]:
    propresenter = ProPresenter(free_port_base())
    await propresenter.start()
    yield propresenter
    await propresenter.stop()
    assert propresenter.wrong_requests == []


async def test_the_message_shows_captions_as_operators_leave_them_through_restarts(
    journal: ScriptedJournal, start_captions: StartCaptions, propresenter: ProPresenter
) -> None:
    async def shown() -> str | None:
        return propresenter.shown

    journal.start_session()
    captions = await start_captions()
    arguments = ("--message", "Captions", "--language", "es", "--captions", captions.address)
    async with running_verb(
        *("propresenter", "--address", propresenter.address, "--clear-after", "0", *arguments)
    ) as verb:
        await verb.until_said(*BEGUN)
        journal.say(1, "grace", "«gracia»")
        await settled(shown, "«gracia»")
        journal.append("", screens=gateway.Screens(is_blank=True))
        await settled(shown, None)
        journal.append("", screens=gateway.Screens())
        await settled(shown, "«gracia»")
        await propresenter.stop()
        journal.say(2, "peace", "paz")
        await verb.until_said("no ProPresenter answers")
        await propresenter.start()
        await settled(shown, "«gracia»\npaz")
        for number in range(3, 63):
            journal.say(number, f"sentence {number}", f"frase {number}")
            await asyncio.sleep(0.01)
        await settled(shown, "frase 61\nfrase 62")
        assert await verb.interrupt() == 0
    assert propresenter.shown is None
    assert sum("no ProPresenter answers" in line for line in verb.said) == 1
    times = propresenter.times
    assert min(later - earlier for earlier, later in itertools.pairwise(times)) > 0.2


async def test_the_stage_screens_show_captions_until_nothing_follows(
    journal: ScriptedJournal, start_captions: StartCaptions, propresenter: ProPresenter
) -> None:
    async def stage() -> str | None:
        return propresenter.stage

    journal.start_session()
    captions = await start_captions()
    arguments = ("--stage", "--language", "en", "--captions", captions.address)
    async with running_verb(
        *("propresenter", "--address", propresenter.address, "--clear-after", "0.5", *arguments)
    ) as verb:
        await verb.until_said(*BEGUN)
        journal.say(1, 'grace "and" peace', "gracia y paz")
        await settled(stage, 'grace "and" peace')
        await settled(stage, None)
    assert propresenter.shown is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--message", "Caption"), "with --message: 'Captions', 'Nursery', 'Welcome'"),
        (("--message", "Nursery"), "with --message-token: 'Child', 'Room'"),
        (("--message", "Captions", "--message-token", "Time"), "with --message-token: 'Caption'"),
        (("--message", "Welcome"), "no text token; write {Caption} into it"),
        ((), "--message NAME, or --stage"),
        (("--message", "Captions", "--stage"), "--message NAME, or --stage"),
    ],
)
async def test_what_a_person_has_to_put_right_ends_it_with_what_there_is(
    propresenter: ProPresenter, options: tuple[str, ...], message: str
) -> None:
    arguments = ("--address", propresenter.address, "--language", "es", *options)
    async with running_verb("propresenter", *arguments) as verb:
        assert await verb.ended() == 2
    assert message in verb.said[-1]


@pytest.mark.parametrize("body", ["<html>", "{}", None])
async def test_another_program_at_that_port_is_not_taken_for_propresenter(body: str | None) -> None:
    port = free_port_base()
    app = web.Application()

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=body)

    if body is not None:
        app.router.add_get("/version", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    arguments = ("--address", f"127.0.0.1:{port}", "--language", "es", "--stage")
    try:
        async with running_verb("propresenter", *arguments) as verb:
            assert await verb.ended() == 2
    finally:
        await runner.cleanup()
    assert "is not ProPresenter 7.9 or newer" in verb.said[-1]
