"""Following a gateway, or another captions service, across everything that can happen to it."""

from __future__ import annotations

import signal

from services.errors import reason_of
from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.displays import sessions, subscribed
from tests.captions.upstream import ScriptedJournal, final, partial


async def test_a_gateway_that_comes_later_is_found(
    base: int, start_captions: StartCaptions
) -> None:
    captions = await start_captions(catch_up_wait_s=0.2)
    async with subscribed(captions.address) as display:
        assert reason_of(await display.failure()) == "NOT_READY"
    journal = ScriptedJournal()
    journal.start_session()
    await journal.serve(f"127.0.0.1:{port('gateway', base)}")
    await journal.wait_followed()
    async with subscribed(captions.address, session_id="sunday") as display:
        await display.until_caught_up()
    await journal.stop()


async def test_a_restarted_gateway_is_resumed_and_displays_lose_nothing(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        journal.live(transcript=partial(2, 7, "tw", ""))
        await display.until(lambda event: event.caption.segment_id == 2)
        await journal.stop()
        # What was half said may never be finished: the display is told to take it away.
        await display.until(lambda event: event.HasField("caption_dropped"))
        last = journal.say(2, "two", "dos")
        await journal.serve(f"127.0.0.1:{port('gateway', base)}")
        await display.until_sequence(last)
        await journal.wait_followed()
        journal.live(transcript=partial(3, 1, "th", ""))
        await display.until(lambda event: event.caption.segment_id == 3)
    assert display.texts == ["one", "uno", "tw", "two", "dos", "th"]
    assert journal.requests[-1].after_sequence == 4
    assert len(display.sequences) == len(set(display.sequences))


async def test_another_journal_starts_everything_again(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session("old")
    journal.say(1, "old words", "palabras viejas", session_id="old")
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        await journal.stop()
        # Longer than the old one: only its name tells that the sequences count in another journal.
        replaced = ScriptedJournal("journal-2")
        replaced.start_session("new")
        for number in range(1, 9):
            last = replaced.say(number, f"new {number}", f"nuevo {number}", session_id="new")
        await replaced.serve(f"127.0.0.1:{port('gateway', base)}")
        assert reason_of(await display.failure()) == "SEQUENCE_AHEAD"
    async with subscribed(captions.address) as display:
        await display.until_sequence(last)
        assert display.texts[:2] == ["new 1", "nuevo 1"]
        assert {event.journal_id for event in display.events} == {"journal-2"}
    assert [each.session_id for each in await sessions(captions.address)] == ["new"]
    await replaced.stop()


async def test_a_shorter_journal_starts_everything_again(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session("old")
    journal.say(1, "old words", "palabras viejas", session_id="old")
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        await journal.stop()
        replaced = ScriptedJournal("journal-2")
        replaced.start_session("new")
        await replaced.serve(f"127.0.0.1:{port('gateway', base)}")
        assert reason_of(await display.failure()) == "SEQUENCE_AHEAD"
    await replaced.wait_followed()
    async with subscribed(captions.address, session_id="new") as display:
        await display.until_caught_up()
    assert [each.session_id for each in await sessions(captions.address)] == ["new"]
    await replaced.stop()


async def test_a_relay_of_a_relay_shows_the_same_events(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    first = await start_captions()
    second = await start_captions(upstream_kind="captions", upstream_address=first.address)
    third = await start_captions(upstream_kind="captions", upstream_address=second.address)
    async with (
        subscribed(first.address) as near,
        subscribed(third.address) as far,
    ):
        await near.until_caught_up()
        await far.until_caught_up()
        journal.live(transcript=partial(2, 1, "tw", ""))
        await near.until(lambda event: event.caption.segment_id == 2)
        await far.until(lambda event: event.caption.segment_id == 2)
        last = journal.say(2, "two", "dos")
        journal.correct(2, "es", "DOS")
        last = journal.end_session()
        await near.until_sequence(last)
        await far.until_sequence(last)

    def durable(display: object) -> list[object]:
        return [event for event in display.events if event.sequence]  # type: ignore[attr-defined]

    assert durable(far) == durable(near)
    assert far.texts == ["one", "uno", "tw", "two", "dos", "DOS"]
    # A display may move from one relay to another and go on where it was.
    async with subscribed(third.address, after_sequence=near.sequences[-2]) as moved:
        await moved.until_caught_up()
        assert moved.sequences == [last]


async def test_a_relay_goes_on_when_the_one_above_it_was_killed(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    above = await start_captions()
    below = await start_captions(upstream_kind="captions", upstream_address=above.address)
    async with subscribed(below.address) as display:
        await display.until_caught_up()
        above.kill()
        last = journal.say(2, "two", "dos")
        above.start()
        await display.until_sequence(last)
        assert display.texts == ["one", "uno", "two", "dos"]


async def test_a_relay_below_trimmed_history_takes_what_is_left(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    sequences = [journal.append("sunday", transcript=final(n, f"line {n}")) for n in range(1, 31)]
    above = await start_captions(session_event_limit=10)
    below = await start_captions(upstream_kind="captions", upstream_address=above.address)
    async with subscribed(below.address, after_sequence=sequences[-11]) as display:
        await display.until_caught_up()
        assert display.sequences == sequences[-10:]
    async with subscribed(below.address, session_id="sunday") as display:
        assert reason_of(await display.failure()) == "HISTORY_TRIMMED"


async def test_a_frozen_upstream_is_noticed_and_resumed(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    above = await start_captions()
    below = await start_captions(upstream_kind="captions", upstream_address=above.address)
    async with subscribed(below.address) as display:
        await display.until_caught_up()
        above.signal(signal.SIGSTOP)
        last = journal.say(1, "one", "uno")
        above.signal(signal.SIGCONT)
        await display.until_sequence(last)
        assert display.texts == ["one", "uno"]
