"""The review page in a real browser, over a real gateway, Redis and collector."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from tests.web.browser import settled
from tests.web.review_fixtures import SERMON, NewReviewer, StartReview
from tests.web.review_page import ReviewPage
from tests.web.review_stack import Line


async def test_a_fix_is_gold_once_and_corrects_what_is_shown(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1])
    page = await reviewer(stack)
    await page.open("Ana")
    await page.wait_source(SERMON[0].source)
    assert await page.accept.inner_text() == "Accept Enter"
    await page.target.fill("El río creció una vez ese año")
    assert await page.accept.inner_text() == "Save the fix Enter"
    assert await page.page.locator("#target-marked ins").all_inner_texts() == ["una vez "]
    assert await page.page.locator("#target-marked del").all_inner_texts() == ["one veces "]
    await page.page.keyboard.press("Control+Enter")
    await expect(page.empty).to_be_visible()
    await page.wait_status("Fix saved.")
    (entry,) = await stack.corrected_after(1)
    assert entry["target_text"] == "El río creció una vez ese año"
    assert entry["source_text"] == SERMON[0].source
    assert (entry["decision"], entry["reviewer"]) == ("fixed", "Ana")
    (correction,) = await stack.journalled("correction")
    assert correction.correction.text == "El río creció una vez ese año"
    (reviewed,) = await stack.journalled("pair_reviewed")
    assert reviewed.pair_reviewed.reviewer == "Ana"
    assert page.record.problems == []


async def test_a_reject_is_undone_and_a_skip_comes_back_last(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review()
    page = await reviewer(stack)
    await page.open("Ana")
    await expect(page.source).not_to_have_value("")
    first = await page.source.input_value()
    (other,) = {line.source for line in SERMON[:2]} - {first}
    await page.press("r")
    await page.wait_source(other)
    await page.press("u")
    await page.wait_source(first)
    await page.wait_status("Your last decision is taken back.")
    decisions = [entry["decision"] for entry in await stack.corrected_after(2)]
    assert decisions == ["rejected", "withdrawn"]
    await page.press("s")
    await page.wait_source(other)
    await page.press("a")
    await page.wait_source(first)
    await page.press("u")
    await page.wait_source(other)
    await page.press("u")
    await settled(page.notice.inner_text, "Ana has made no decision to take back")


async def test_what_was_typed_outlives_a_restart_and_is_sent_once(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1])
    page = await reviewer(stack)
    await page.open("Ana")
    await page.wait_source(SERMON[0].source)
    await page.target.fill("El río creció una vez")
    stack.collector.kill()
    await page.page.keyboard.press("Control+Enter")
    await settled(
        page.notice.inner_text, "The service does not answer. What you typed is kept; trying again."
    )
    assert await page.target.input_value() == "El río creció una vez"
    stack.collector.start()
    await stack.collector.wait_ready()
    await expect(page.empty).to_be_visible()
    await settled(page.notice.inner_text, "")
    (entry,) = await stack.corrected_after(1)
    assert entry["target_text"] == "El río creció una vez"


async def test_hostile_text_is_shown_as_text_and_never_runs(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    attack = '<img src=x onerror="window.owned=1"><script>window.owned=1</script>'
    lines = [
        Line(
            f"{attack} he said to them all",
            f'"><svg onload=window.owned=1> {attack} les dijo a todos',
            missing_terms=[(f"{attack}", "<b onclick=window.owned=1>x</b>")],
        ),
        Line(
            "\u202egnikcatta \u2066 the right to left \U0001f64f\U0001f3fd",
            "\u200fun ataque \u202e👨‍👩‍👧‍👦 de lado",
        ),
        Line(
            "javascript:alert(1) {{7*7}} ${7*7} &lt;b&gt;",
            "%3Cscript%3E &#60;b&#62; javascript:window.owned=1",
        ),
        Line("many words" + " more words" * 910, "muchas cosas" + " y cosas" * 1250),
    ]
    stack = await start_review(lines)
    page = await reviewer(stack)
    await page.open("<img src=x onerror=window.owned=1>")
    await page.wait_other_than("")
    seen = {}
    while len(seen) < len(lines):
        text = await page.shown()
        seen[text] = await page.target.input_value()
        await page.target.press("End")
        await page.target.press_sequentially(attack)
        await expect(page.page.locator("#target-marked ins").first).to_be_visible()
        await page.page.locator("summary").click()
        await page.page.keyboard.press("Escape")
        await page.press("z")
        assert await page.target.input_value() == seen[text]
        await page.press("s")
        await page.wait_other_than(text)
    assert seen == {line.source.strip(): line.target.strip() for line in lines}
    inserted = "main img, main script, main svg, main b, header img"
    assert await page.page.locator(inserted).count() == 0
    assert await page.page.evaluate("window.owned") is None
    assert page.record.problems == []
    assert [url for url in page.record.urls if not url.startswith((stack.url, "blob:"))] == []
    # The control: what would have run is stopped, and seen here.
    await page.page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), "
        "{textContent: 'window.owned = 1'}))"
    )
    assert await page.page.evaluate("window.owned") is None
    await settled(lambda: _says_policy(page), True)


async def _says_policy(page: ReviewPage) -> bool:
    return any("Content Security Policy" in problem for problem in page.record.problems)


async def test_a_text_that_is_too_long_or_empty_is_told_and_kept(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1])
    page = await reviewer(stack)
    await page.open("Ana")
    await page.wait_source(SERMON[0].source)
    await page.target.fill("x" * 10_000)
    await page.page.keyboard.press("Control+Enter")
    await settled(page.notice.inner_text, "target_text has at most 2000 characters, not 10000")
    assert await page.target.input_value() == "x" * 10_000
    await page.target.fill(" ")
    await page.page.keyboard.press("Control+Enter")
    await settled(
        page.notice.inner_text, "A text is empty: reject the pair if it is worth nothing."
    )
    await page.press("z")
    await page.press("Enter")
    await expect(page.empty).to_be_visible()
    (entry,) = await stack.corrected_after(1)
    assert (entry["decision"], entry["target_text"]) == ("accepted", SERMON[0].target)


async def test_everything_goes_by_the_keyboard_alone(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:3])
    page = await reviewer(stack)
    keyboard = page.page.keyboard
    await page.page.goto(page.url)
    await expect(page.page.get_by_label("Your name")).to_be_focused()
    await keyboard.type("Ana")
    await keyboard.press("Enter")
    await expect(page.page.locator("#pair-title")).to_be_focused()
    first = await page.shown()
    order = []
    for _ in range(7):
        await keyboard.press("Tab")
        order.append(await page.page.evaluate("document.activeElement.id || 'summary'"))
    assert order == ["source", "target", "summary", "accept", "reject", "skip", "undo"]
    await page.page.locator("#pair-title").focus()
    await keyboard.press("?")
    await expect(page.page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    await keyboard.press("r")  # nothing happens behind it
    await keyboard.press("Escape")
    await keyboard.press("e")
    await expect(page.target).to_be_focused()
    await keyboard.press("Control+a")
    await keyboard.type("rsunpl?, ya veces")  # letters are letters here
    assert await page.shown() == first
    await keyboard.press("Escape")
    await expect(page.page.locator("#pair-title")).to_be_focused()
    await keyboard.press("a")
    await page.wait_other_than(first)
    second = await page.shown()
    await keyboard.down("Enter")
    await page.wait_other_than(second)
    third = await page.shown()
    await keyboard.down("Enter")  # held down: it repeats
    await keyboard.up("Enter")
    await page.wait_status("Accepted.")
    assert await page.shown() == third
    await keyboard.press("s")  # the only one that is left comes again
    await page.wait_status("Skipped.")
    await keyboard.press("r")
    await expect(page.empty).to_be_visible()
    decisions = [entry["decision"] for entry in await stack.corrected_after(3)]
    assert decisions == ["fixed", "accepted", "rejected"]
    assert await page.progress() == "3 reviewed, 0 to go, 0 open now"


async def test_without_the_right_token_nothing_is_shown(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    token = "a-token-of-this-test"
    stack = await start_review(SERMON[:1], review_token=token)
    page = await reviewer(stack)
    await page.open("Ana")
    field = page.page.get_by_label("Token")
    for wrong in ("a-token-of-this-tesT", "añejo"):
        await field.fill(wrong)
        await page.page.keyboard.press("Enter")
        await settled(field.input_value, "")
        assert await page.shown() == ""
    await field.fill(token)
    await page.page.keyboard.press("Enter")
    await page.wait_source(SERMON[0].source)
    other = await reviewer(stack)
    await other.open("Ben", f"/?session=#token={token}")
    await expect(other.empty).to_be_visible()  # Ana has the only one
    assert token not in other.page.url


async def test_the_speech_of_a_pair_is_heard(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(store_audio=True)
    page = await reviewer(stack)
    await page.open("Ana")
    player = page.page.locator("#player")
    await settled(lambda: player.evaluate("player => player.duration > 0.3"), True)
    assert await player.evaluate("player => player.paused")
    await page.press(".")
    assert await player.evaluate("player => player.playbackRate") == 1.25
    await page.press("p")
    await settled(lambda: player.evaluate("player => player.ended"), True)
    await page.press("l")
    await settled(lambda: player.evaluate("player => player.played.length > 0"), True)
    await page.page.get_by_label("Play by itself").check()
    first = await page.shown()
    await page.press("a")
    await page.wait_other_than(first)
    await settled(lambda: player.evaluate("player => player.ended"), True)
    assert page.record.problems == []


async def test_a_term_that_is_missing_is_marked_until_it_is_there(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    line = Line(
        "The covenant holds for ever and ever",
        "El acuerdo vale por los siglos",
        missing_terms=[("covenant", "pacto")],
    )
    stack = await start_review([line])
    page = await reviewer(stack)
    await page.open("Ana")
    await page.wait_source(line.source)
    term = page.page.locator("#terms-list li")
    assert await term.inner_text() == "covenant → pacto: missing"
    assert await page.page.locator("#source-marked mark").all_inner_texts() == ["covenant"]
    assert "a word of the church is missing" in await page.page.locator("#reasons").inner_text()
    await page.target.fill("El Pacto vale por los siglos")
    assert await term.inner_text() == "covenant → pacto: there now"


async def test_each_text_runs_in_the_direction_of_its_language(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    line = Line("The river rose one time", "ارتفع النهر مرة واحدة")
    stack = await start_review([line], target_languages=["ar"])
    page = await reviewer(stack)
    await page.open("Ana")
    await page.wait_source(line.source)
    for field, language, direction in ((page.source, "en", "ltr"), (page.target, "ar", "rtl")):
        assert await field.get_attribute("lang") == language
        assert await field.evaluate("field => getComputedStyle(field).direction") == direction
    await page.target.fill("ارتفع النهر مرة")
    assert await page.page.locator("#target-marked del").all_inner_texts() == ["واحدة"]
    await page.page.keyboard.press("Control+Enter")
    (entry,) = await stack.corrected_after(1)
    assert (entry["target_language"], entry["target_text"]) == ("ar", "ارتفع النهر مرة")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out_by_how_they_see_or_type(
    start_review: StartReview, reviewer: NewReviewer, scheme: str
) -> None:
    line = Line(SERMON[0].source, SERMON[0].target, missing_terms=[("river", "riachuelo")])
    stack = await start_review([line], store_audio=True)
    page = await reviewer(stack)
    await page.page.emulate_media(color_scheme=scheme)

    async def assert_accessible() -> None:
        results = await Axe().run(page.page)
        assert [fault["id"] for fault in results.response["violations"]] == []

    await page.page.goto(page.url)
    await expect(page.page.get_by_role("dialog", name="Who are you?")).to_be_visible()
    await assert_accessible()
    await page.page.keyboard.type("Ana")
    await page.page.keyboard.press("Enter")
    await page.wait_source(line.source)
    assert await page.target.get_attribute("lang") == "es"
    await page.target.fill("El río creció una vez ese año")
    await page.page.locator("summary").click()
    await assert_accessible()
    for width in (320, 390, 1280, 3840):
        await page.page.set_viewport_size({"width": width, "height": 700})
        assert not await page.page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
    size = await page.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
    assert size >= 24
    await page.press("?")
    await expect(page.page.get_by_role("dialog", name="Shortcuts")).to_be_visible()
    await assert_accessible()
    await page.page.keyboard.press("Escape")
    await page.press("Enter")
    await expect(page.empty).to_be_visible()
    await assert_accessible()
