"""What operators do at their desk, over a real gateway and captions; a phone sees what it does."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from glossa.gateway.v1 import gateway_pb2
from tests.web.desk_fixtures import NewDesk, StartDesk, open_phone
from tests.web.desk_stack import Speaker


async def test_a_correction_goes_live_on_phones_and_other_desks(
    start_desk: StartDesk, new_desk: NewDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open(title="Harvest")
    await speaker.say(1, 2)
    desk, other = await new_desk(stack), await new_desk(stack)
    phone = await open_phone(chromium, stack)
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
    phone = await open_phone(chromium, stack)
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
    phone = await open_phone(chromium, stack)
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


async def test_a_killed_captions_service_is_told_and_gone_on_from(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    desk = await new_desk(stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha"])
    stack.captions.kill()
    await expect(desk.connection).to_contain_text("connection lost: what is shown is old")
    await expect(desk.page.locator("#status-age")).to_contain_text("s old", timeout=15_000)
    await speaker.say(2)
    stack.captions.start()
    await stack.captions.wait_ready()
    await desk.wait_texts("es", ["La frase 1 fue dicha", "La frase 2 fue dicha"])
    await expect(desk.connection).to_have_text("connected")
    last = [url for url in desk.record.urls if "/operator/events?" in url][-1]
    assert not last.endswith("after=0")


async def test_the_desk_asks_for_the_operators_token(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk(operator_token="operator-token-0001", view_token="view-token-000001")
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    desk = await new_desk(stack)
    dialog = desk.page.get_by_role("dialog", name="Who may operate?")
    field = dialog.get_by_label("Token")
    await field.fill("wrong")
    await field.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("token")
    await field.fill("view-token-000001")
    await field.press("Enter")
    await expect(dialog.get_by_role("alert")).to_contain_text("does not operate")
    await desk.page.keyboard.press("Escape")
    await expect(dialog).to_be_visible()
    await dialog.get_by_label("Token").fill("operator-token-0001")
    await desk.page.keyboard.press("Enter")
    await expect(dialog).to_have_count(0)
    await desk.wait_texts("es", ["La frase 1 fue dicha"])
    # With a link nobody is asked, and the token is not left in the address.
    other = await new_desk(stack, "#token=operator-token-0001")
    await other.wait_texts("es", ["La frase 1 fue dicha"])
    assert "operator-token-0001" not in other.page.url
    assert not any("operator-token-0001" in url for url in other.record.urls)
