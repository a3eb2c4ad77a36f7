"""What operators do, as a reader's phone shows it."""

from __future__ import annotations

from glossa.gateway.v1 import gateway_pb2 as gateway
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, final, partial
from tests.web.browser import settled
from tests.web.phone_page import PhonePage


async def test_a_hidden_line_leaves_everywhere_and_comes_back_to_its_place(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.say(2, "two", "dos")
    journal.say(3, "three", "tres")
    await page.wait_lines("target", ["uno", "dos", "tres"])
    await settled(page.announced, ["dos", "tres"])
    journal.append("sunday", segment_hidden=gateway.SegmentHidden(segment_id=2, is_hidden=True))
    await page.wait_lines("target", ["uno", "tres"])
    assert await page.lines("source") == ["one", "three"]
    assert "dos" not in await page.page.content()
    journal.append("sunday", segment_hidden=gateway.SegmentHidden(segment_id=2, is_hidden=False))
    await page.wait_lines("target", ["uno", "dos", "tres"])
    assert await page.lines("source") == ["one", "two", "three"]
    assert await page.announced() == ["tres"]  # it was read out once
    assert page.record.problems == []


async def test_a_line_that_was_hidden_before_never_reaches_a_late_reader(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    journal.say(2, "not for you", "no es para ti")
    journal.append("sunday", segment_hidden=gateway.SegmentHidden(segment_id=2, is_hidden=True))
    frames: list[str] = []

    def note(frame: str | bytes) -> None:
        frames.append(str(frame))

    page.page.on("websocket", lambda socket: socket.on("framereceived", note))
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    assert frames
    assert "no es para ti" not in "".join(frames)


async def test_a_reset_leaves_a_quiet_divider_and_what_was_said(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    journal.live(transcript=partial(2, 1, "", "hmm"))
    await page.wait_lines("source", ["one", "hmm"])
    journal.append("sunday", session_reset=gateway.SessionReset(segment_id=1))
    await page.wait_lines("source", ["one"])
    journal.say(2, "two", "dos")
    await page.wait_lines("target", ["uno", "dos"])
    order = "[...document.querySelector('#captions').children].map((each) => each.className)"
    assert await page.run(order) == ["segment", "reset", "segment"]


async def test_a_hold_is_said_and_ends(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    journal.append("sunday", session_held=gateway.SessionHeld(is_held=True))
    await start_captions()
    await page.open()
    held = page.page.get_by_text("The captions are on hold.")
    await page.wait_status("on hold")
    assert await held.is_visible()
    assert await page.lines("target") == ["uno"]
    journal.append("sunday", session_held=gateway.SessionHeld(is_held=False))
    await page.wait_status("live")
    assert await held.count() == 0


async def test_screens_that_are_blank_show_the_announcement_alone(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    banner = page.page.locator("#announcement")
    line = page.page.get_by_text("uno", exact=True)
    assert await banner.is_hidden()
    text = "<b>الغداء</b>"
    journal.append("", screens=gateway.Screens(announcement=text, language="ar"))
    await settled(banner.inner_text, text)
    assert await banner.get_attribute("dir") == "rtl"
    assert await line.is_visible()
    journal.append("", screens=gateway.Screens(is_blank=True, announcement="Lunch"))
    await settled(line.is_visible, False)
    assert await banner.inner_text() == "Lunch"
    reason = page.page.get_by_text("The captions are switched off for the moment.")
    await settled(reason.is_visible, True)
    journal.say(2, "two", "dos")
    journal.append("", screens=gateway.Screens())
    await page.wait_lines("target", ["uno", "dos"])
    assert await line.is_visible()
    assert await banner.is_hidden()
    await settled(reason.is_visible, False)
    assert await page.announced() == []  # nothing was read out while the screens were blank


async def test_screens_are_blank_before_the_first_session_already(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.append("", screens=gateway.Screens(is_blank=True, announcement="We begin at ten"))
    await start_captions()
    await page.open()
    await page.wait_status("waiting for a service")
    await settled(page.page.locator("#announcement").inner_text, "We begin at ten")
    journal.start_session()
    journal.append("sunday", transcript=final(1, "one"))
    await page.wait_status("live")
    assert await page.lines("source") == []
    journal.append("", screens=gateway.Screens())
    await page.wait_lines("source", ["one"])
