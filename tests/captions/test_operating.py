"""What operators do reaches every display: over each transport, through relays, late or in time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from glossa.captions.v1 import captions_pb2 as captions
from glossa.gateway.v1 import gateway_pb2 as gateway
from services.settings import port
from tests.captions.browsers import TRANSPORTS, displayed
from tests.captions.conftest import StartCaptions
from tests.captions.displays import Display
from tests.captions.upstream import ScriptedJournal, draft, final, partial
from tests.processes import ServiceProcess


def hide(journal: ScriptedJournal, segment_id: int, *, is_hidden: bool = True) -> int:
    hidden = gateway.SegmentHidden(segment_id=segment_id, is_hidden=is_hidden)
    return journal.append("sunday", segment_hidden=hidden)


def show_screens(journal: ScriptedJournal, announcement: str, *, is_blank: bool = False) -> int:
    screens = gateway.Screens(is_blank=is_blank, announcement=announcement, language="en")
    return journal.append("", screens=screens)


def all_texts(display: Display) -> list[str]:
    """Every text that came, those that a segment brought back with it included."""
    texts = []
    for event in display.events:
        shown = event.segment_hidden.captions if event.HasField("segment_hidden") else ()
        for caption in (*([event.caption] if event.HasField("caption") else []), *shown):
            texts.append(caption.stable_text + caption.unstable_text)
    return texts


@contextlib.asynccontextmanager
async def every_display(service: ServiceProcess, **request: object) -> AsyncIterator[list[Display]]:
    """One display a transport, each caught up."""
    async with contextlib.AsyncExitStack() as stack:
        displays = []
        for transport in TRANSPORTS:
            display = await stack.enter_async_context(displayed(service, transport, **request))
            await display.until_caught_up()
            displays.append(display)
        yield displays


async def test_holding_resetting_hiding_and_screens_reach_every_transport_alike(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    service = await start_captions()
    async with every_display(service, session_id="sunday") as displays:
        journal.append("sunday", session_held=gateway.SessionHeld(is_held=True))
        journal.append("sunday", session_held=gateway.SessionHeld(is_held=False))
        journal.append("sunday", session_reset=gateway.SessionReset(segment_id=1))
        hide(journal, 1)
        hide(journal, 1, is_hidden=False)
        last = show_screens(journal, "Coffee in the hall", is_blank=True)
        seen = [(await display.until_sequence(last))[-6:] for display in displays]
    held, goes_on, reset, hidden, shown, screens = seen[0]
    assert held.session_held.is_held
    assert goes_on.HasField("session_held")
    assert not goes_on.session_held.is_held
    assert reset.session_reset.segment_id == 1
    assert (hidden.segment_hidden.is_hidden, list(hidden.segment_hidden.captions)) == (True, [])
    assert [each.stable_text for each in shown.segment_hidden.captions] == ["one", "uno"]
    assert (screens.session_id, screens.screens.is_blank) == ("", True)
    assert screens.screens.announcement == "Coffee in the hall"
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_late_joiner_never_sees_what_is_hidden(
    journal: ScriptedJournal, start_captions: StartCaptions, transport: str
) -> None:
    journal.start_session()
    before = journal.say(1, "one", "uno")
    journal.say(2, "a secret", "un secreto")
    hidden = hide(journal, 2)
    journal.correct(2, "es", "un secreto corregido")
    last = journal.say(3, "three", "tres")
    service = await start_captions()
    for after_sequence in (0, before, hidden - 1):
        async with displayed(
            service, transport, session_id="sunday", after_sequence=after_sequence
        ) as display:
            await display.until_caught_up()
            assert not [text for text in all_texts(display) if "secret" in text]
            assert last in display.sequences
            assert hidden in display.sequences  # who has it already takes it off the screen


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_drafts_of_a_line_are_hidden_with_it(
    journal: ScriptedJournal, start_captions: StartCaptions, transport: str
) -> None:
    journal.start_session()
    service = await start_captions()
    async with displayed(service, transport, session_id="sunday") as early:
        await early.until_caught_up()
        journal.append("sunday", transcript=final(1, "one"))
        journal.live(translation=draft(1, 1, "un borrador"))
        await early.until(lambda event: event.caption.unstable_text == "un borrador")
        hidden = hide(journal, 1)
        await early.until_sequence(hidden)
        seen_count = len(early.events)
        journal.live(translation=draft(1, 2, "un secreto"))
        async with displayed(service, transport, session_id="sunday") as late:
            await late.until_caught_up()
            journal.live(translation=draft(1, 3, "un secreto mas"))
            journal.live(transcript=partial(2, 1, "two", ""))
            for display in (early, late):
                await display.until(lambda event: event.caption.stable_text == "two")
            assert all_texts(late) == ["two"]
        assert [event.caption.stable_text for event in early.events[seen_count:]] == ["two"]
        hide(journal, 1, is_hidden=False)
        journal.live(translation=draft(1, 4, "ya no es un secreto"))
        await early.until(lambda event: event.caption.unstable_text == "ya no es un secreto")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_showing_again_brings_the_captions_to_who_joined_meanwhile_with_the_correction(
    journal: ScriptedJournal, start_captions: StartCaptions, transport: str
) -> None:
    journal.start_session()
    journal.say(1, "a secret", "un secreto")
    service = await start_captions()
    async with displayed(service, transport, session_id="sunday") as early:
        await early.until_caught_up()
        await early.until_sequence(hide(journal, 1))
        async with displayed(service, transport, session_id="sunday") as late:
            await late.until_caught_up()
            corrected = journal.correct(1, "es", "no es un secreto")
            shown = hide(journal, 1, is_hidden=False)
            for display in (early, late):
                event = (await display.until_sequence(shown))[-1]
                assert corrected not in display.sequences
                assert [
                    (caption.language, caption.stable_text, caption.is_corrected)
                    for caption in event.segment_hidden.captions
                ] == [("en", "a secret", False), ("es", "no es un secreto", True)]
            assert all_texts(late) == ["a secret", "no es un secreto"]


async def test_a_relay_of_a_relay_hides_and_shows_the_same(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "a secret", "un secreto")
    hide(journal, 1)
    first = await start_captions()
    second = await start_captions(upstream_kind="captions", upstream_address=first.address)
    third = await start_captions(upstream_kind="captions", upstream_address=second.address)
    async with every_display(third, session_id="sunday") as displays:
        assert [all_texts(display) for display in displays] == [[], [], []]
        journal.correct(1, "es", "no es un secreto")
        shown = hide(journal, 1, is_hidden=False)
        for display in displays:
            await display.until_sequence(shown)
            assert all_texts(display) == ["a secret", "no es un secreto"]
        again = hide(journal, 1)
        for display in displays:
            await display.until_sequence(again)
    async with every_display(third, session_id="sunday") as displays:
        assert [all_texts(display) for display in displays] == [[], [], []]


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_screens_reach_who_watches_one_session_and_a_late_joiner_gets_only_the_newest(
    journal: ScriptedJournal, start_captions: StartCaptions, transport: str
) -> None:
    journal.start_session()
    service = await start_captions()
    async with displayed(service, transport, session_id="sunday", languages=["es"]) as display:
        await display.until_caught_up()
        journal.live(transcript=partial(1, 1, "", "not in this language"))
        first = show_screens(journal, "Welcome")
        newest = show_screens(journal, "", is_blank=True)
        await display.until_sequence(newest)
        assert display.sequences[-2:] == [first, newest]
    async with displayed(service, transport, session_id="sunday") as late:
        events = await late.until_caught_up()
    (screens,) = [event for event in events if event.HasField("screens")]
    assert screens == captions.SubscribeResponse(
        time=screens.time,
        journal_id="journal-1",
        screens=captions.Screens(is_blank=True, language="en"),
    )
    async with displayed(service, transport, session_id="sunday", after_sequence=newest) as resumed:
        assert [e for e in await resumed.until_caught_up() if e.HasField("screens")] == [screens]


async def test_screens_outlive_the_history_and_reach_a_relay_of_a_relay(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    show_screens(journal, "Coffee in the hall")
    for number in range(1, 12):
        journal.say(number, f"sentence {number}", f"frase {number}")
    newest = journal.append("sunday", transcript=final(12, "the last"))
    await start_captions(session_event_limit=10)
    relay = await start_captions(
        upstream_address=f"127.0.0.1:{port('captions', base)}", upstream_kind="captions"
    )
    async with displayed(relay, "grpc", session_id="sunday", after_sequence=newest - 1) as display:
        events = await display.until_caught_up()
    (screens,) = [event.screens for event in events if event.HasField("screens")]
    assert screens.announcement == "Coffee in the hall"
