"""The operator's desk in a real browser, over a real gateway and captions; a phone sees what it does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from glossa.gateway.v1 import gateway_pb2
from tests.web.browser import settled
from tests.web.desk_page import DeskPage
from tests.web.desk_stack import DeskStack, Speaker

StartDesk = Callable[..., Awaitable[DeskStack]]
NewDesk = Callable[..., Awaitable[DeskPage]]
_SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


@pytest.fixture
async def start_desk(tmp_path: Path) -> AsyncIterator[StartDesk]:
    """Starts a stack; keywords are settings of captions."""
    stacks: list[DeskStack] = []

    async def start(**captions: object) -> DeskStack:
        stacks.append(DeskStack(tmp_path, **captions))
        await stacks[-1].start()
        return stacks[-1]

    yield start
    for stack in stacks:
        await stack.stop()


@pytest.fixture
async def new_desk(chromium: Browser) -> NewDesk:
    """Opens the desk in a browser context of its own: another operator."""

    async def new(stack: DeskStack, query: str = "") -> DeskPage:
        context = await chromium.new_context(
            viewport={"width": 1400, "height": 900}, locale="en-US"
        )
        context.set_default_timeout(15_000)
        desk = await DeskPage.new(context, stack.url)
        await desk.open(query)
        return desk

    return new


async def _phone(chromium: Browser, stack: DeskStack) -> Page:
    context = await chromium.new_context(viewport={"width": 390, "height": 800}, locale="es-ES")
    context.set_default_timeout(15_000)
    page = await context.new_page()
    await page.goto(stack.url)
    return page


async def test_a_correction_goes_live_on_phones_and_other_desks(
    start_desk: StartDesk, new_desk: NewDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open(title="Harvest")
    await speaker.say(1, 2)
    desk, other = await new_desk(stack), await new_desk(stack)
    phone = await _phone(chromium, stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha", "La frase 2 fue dicha"])
    await other.wait_texts("es", ["La frase 1 fue dicha", "La frase 2 fue dicha"])
    await expect(phone.get_by_text("La frase 1 fue dicha")).to_be_visible()
    await desk.page.get_by_label("Your name").fill("Ana")
    await desk.correct(1, "es", "La primera frase")
    await desk.wait_texts("es", ["La primera frase", "La frase 2 fue dicha"])
    await other.wait_texts("es", ["La primera frase", "La frase 2 fue dicha"])
    await expect(other.cell(1, "es")).to_contain_text("corrected by Ana")
    await expect(phone.get_by_text("La primera frase")).to_be_visible()
    await desk.correct(2, "en", "The second sentence")
    await other.wait_texts("en", ["Sentence 1 was said", "The second sentence"])
    # Esc leaves the line as it was.
    await desk.text(2, "es").click()
    await desk.page.keyboard.type(" no")
    await desk.page.keyboard.press("Escape")
    await desk.wait_texts("es", ["La primera frase", "La frase 2 fue dicha"])
    corrections = await stack.events_of(speaker.session_id, "correction", 2)
    assert [(each.correction.text, each.correction.author) for each in corrections] == [
        ("La primera frase", "Ana"),
        ("The second sentence", "Ana"),
    ]
    assert desk.record.problems == []


async def test_a_line_that_changes_under_an_edit_is_told_and_the_draft_stays(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    desk, other = await new_desk(stack), await new_desk(stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha"])
    await desk.text(1, "es").click()
    field = desk.page.get_by_label("Corrected text")
    await field.fill("Mi texto")
    await other.wait_texts("es", ["La frase 1 fue dicha"])
    await other.correct(1, "es", "Otro texto")
    warning = desk.cell(1, "es").get_by_role("alert")
    await expect(warning).to_contain_text("Somebody changed this line meanwhile")
    await expect(warning).to_contain_text("Otro texto")
    await expect(field).to_have_value("Mi texto")
    await field.press("Enter")
    await other.wait_texts("es", ["Mi texto"])


async def test_a_correction_that_fails_says_so_and_keeps_the_draft(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    desk = await new_desk(stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha"])
    stack.gateway_process.kill()
    await desk.correct(1, "es", "Mi texto")
    problem = desk.cell(1, "es").get_by_role("alert")
    await expect(problem).to_contain_text("Not saved: the gateway does not answer")
    await expect(desk.page.get_by_label("Corrected text")).to_have_value("Mi texto")
    await expect(desk.connection).to_contain_text("what is shown is old")
    await expect(desk.page.locator("#status-age")).to_contain_text("s old")
    stack.gateway_process.start()
    await stack.gateway_process.wait_ready()
    await expect(desk.connection).to_have_text("connected", timeout=20_000)
    await desk.page.get_by_label("Corrected text").press("Enter")
    await desk.wait_texts("es", ["Mi texto"])
    await expect(desk.page.locator("#status-age")).to_be_empty()


async def test_a_hidden_line_leaves_every_screen_and_comes_back(
    start_desk: StartDesk, new_desk: NewDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1, 2)
    desk, other = await new_desk(stack), await new_desk(stack)
    phone = await _phone(chromium, stack)
    await expect(phone.get_by_text("La frase 2 fue dicha")).to_be_visible()
    await desk.page.get_by_role("button", name="Hide the line").nth(1).click()
    await desk.expect_outcome("The line is hidden from all screens.")
    await expect(phone.get_by_text("La frase 2 fue dicha")).to_have_count(0)
    await expect(phone.get_by_text("La frase 1 fue dicha")).to_be_visible()
    await expect(other.page.locator('[data-segment="2"]')).to_contain_text(
        "hidden from all screens"
    )
    await other.page.get_by_role("button", name="Show again the line").click()
    await expect(phone.get_by_text("La frase 2 fue dicha")).to_be_visible()
    await expect(desk.page.locator('[data-segment="2"]')).not_to_contain_text("hidden")


async def test_a_session_is_held_goes_on_is_reset_and_ended(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open(title="Harvest")
    await speaker.say(1)
    desk, other = await new_desk(stack), await new_desk(stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha"])
    await expect(desk.state).to_have_text("live")
    await desk.page.get_by_role("button", name="Hold").click()
    await desk.expect_outcome("Held: what is said now is not written.")
    for each in (desk, other):
        await expect(each.state).to_have_text("held")
    await speaker.say(2)
    await other.page.get_by_role("button", name="Go on").click()
    await expect(desk.state).to_have_text("live")
    await speaker.say(3)
    await desk.wait_texts("es", ["La frase 1 fue dicha", "La frase 3 fue dicha"])
    await expect(desk.page.locator(".note")).to_contain_text("held: not written")
    await desk.page.get_by_role("button", name="Reset the buffer").click()
    await desk.confirm("Cancel")
    assert not [e for e in await stack.events(speaker.session_id) if e.HasField("session_reset")]
    await desk.page.get_by_role("button", name="Reset the buffer").click()
    await desk.confirm("Reset the buffer")
    await desk.expect_outcome("The buffer was reset.")
    [reset] = await stack.events_of(speaker.session_id, "session_reset", 1)
    assert reset.session_reset.segment_id == 2
    await expect(other.page.locator(".segment.before-reset")).to_have_count(2)
    await desk.page.get_by_role("button", name="End the session").click()
    await desk.confirm("End the session")
    await desk.expect_outcome("The session is over.")
    for each in (desk, other):
        await expect(each.state).to_have_text("ended")
        await expect(each.page.get_by_role("button", name="Hold")).to_be_disabled()
    [ended] = await stack.events_of(speaker.session_id, "session_ended", 1)
    assert ended.session_ended.reason == gateway_pb2.END_REASON_OPERATOR
    assert desk.record.problems == []


async def test_screens_are_blanked_and_get_announcements(
    start_desk: StartDesk, new_desk: NewDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    desk, other = await new_desk(stack), await new_desk(stack)
    phone = await _phone(chromium, stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha"])
    await desk.page.get_by_role("button", name="Please switch your phones").click()
    await desk.page.get_by_label("Announcement", exact=True).press("Enter")
    await desk.expect_outcome("All screens show the announcement.")
    await expect(phone.get_by_text("Please switch your phones to silent.")).to_be_visible()
    await expect(other.page.locator("#announced")).to_contain_text("Please switch your phones")
    await desk.page.get_by_role("button", name="Blank all screens").click()
    for each in (desk, other):
        blank = each.page.locator("#blank")
        await expect(blank).to_have_attribute("aria-pressed", "true")
    # The announcement stays while captions are blank.
    status = await desk.page.evaluate("fetch('/operator/status').then((each) => each.json())")
    assert status["screens"]["is_blank"] is True
    assert status["screens"]["announcement"] == "Please switch your phones to silent."
    await other.page.get_by_role("button", name="Show captions again").click()
    await other.page.get_by_role("button", name="Take it away").click()
    await expect(desk.page.locator("#announced")).to_have_text("No announcement is shown.")
    await expect(desk.page.locator("#blank")).to_have_attribute("aria-pressed", "false")
    await expect(phone.get_by_text("Please switch your phones to silent.")).to_have_count(0)


async def test_quality_has_words_and_a_shape_beside_its_colour(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1, 2, 3, 4, 5)
    desk = await new_desk(stack)
    await stack.events_of(speaker.session_id, "pair_scored", 5)
    chips = desk.page.locator('[data-language="es"] > .figures .chip:first-child')
    await settled(
        chips.all_inner_texts,
        ["● good 0.91", "▲ doubtful 0.61", "■ poor 0.32", "▲ doubtful 0.93", "○ not measured"],
    )
    await expect(desk.cell(4, "es")).to_contain_text("a “not” was lost or won")
    await expect(desk.page.locator('[data-stage="translation:es"]')).to_contain_text("Español")
    levels = await chips.evaluate_all("chips => chips.map((each) => each.dataset.level)")
    assert levels == ["good", "doubtful", "poor", "doubtful", "none"]


async def test_both_runtimes_stand_side_by_side_with_their_percentiles(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(*range(1, 11))
    desk = await new_desk(stack)
    translations = await stack.events_of(speaker.session_id, "translation", 10)
    others = await stack.events_of(speaker.session_id, "alternative_translation", 10)
    for runtime, times_ms in {
        "A": sorted(each.translation.engine_ms for each in translations),
        "B": sorted(each.alternative_translation.engine_ms for each in others),
    }.items():
        line = desk.page.locator(f'#timings [data-runtime="{runtime}"]')
        await expect(line).to_contain_text("(10)")
        # Nearest rank: the 5th and the 10th of ten.
        await expect(line.locator(".p50")).to_have_text(f"{times_ms[4] / 1000:.2f} s")
        await expect(line.locator(".p95")).to_have_text(f"{times_ms[9] / 1000:.2f} s")
    other = desk.cell(3, "es").locator(".alternative")
    await expect(other).to_contain_text("Una frase 3 fue dicha")
    await expect(desk.text(3, "es")).to_have_text("La frase 3 fue dicha")


async def test_the_level_lag_engines_and_viewers_are_shown_in_words(
    start_desk: StartDesk, new_desk: NewDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    desk = await new_desk(stack)
    phone = await _phone(chromium, stack)
    level = desk.page.get_by_role("meter", name="Level")

    async def keep_speaking() -> None:
        while True:
            await speaker.say(900)
            await asyncio.sleep(0.2)

    speaking = asyncio.create_task(keep_speaking())
    await expect(level).to_have_attribute("aria-valuetext", re.compile(r"dBFS, peak"))
    await expect(desk.page.locator("#viewers")).to_contain_text("1 in browsers")
    await expect(desk.page.locator('[data-stage="transcript"]')).to_contain_text("Original")
    speaking.cancel()
    for name in ("stt", "mt", "qe", "mt_alternative"):
        engine = desk.page.locator(f'[data-engine="{name}"]')
        await expect(engine).to_contain_text("works")
    await stack.stop_peer("mt")
    engine = desk.page.locator('[data-engine="mt"]')
    await expect(engine).to_contain_text("Translation does not answer")
    await expect(engine).to_contain_text("Screens show the original until it is back")
    assert await engine.get_attribute("data-level") == "poor"
    speaker.leave()
    await expect(desk.page.locator("#speaker")).to_contain_text("Nobody speaks into it now")
    await phone.close()
    await expect(desk.page.locator("#viewers")).to_have_text("nobody")
