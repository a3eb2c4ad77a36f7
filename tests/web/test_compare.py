"""The comparison of translations in a real browser, over a real gateway and captions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from playwright.async_api import Browser, Page, expect

from tests.web.browser import PageRecord, settled
from tests.web.desk_fixtures import StartDesk
from tests.web.desk_stack import DeskStack, Speaker


async def _open(chromium: Browser, stack: DeskStack, query: str = "") -> Page:
    context = await chromium.new_context(viewport={"width": 1400, "height": 700}, locale="en-US")
    context.set_default_timeout(15_000)
    page = await context.new_page()
    await page.goto(f"{stack.url}/compare{query}")
    return page


def _texts(page: Page, column: str) -> Callable[[], Awaitable[list[str]]]:
    return page.locator(f'td[data-column="{column}"] .text').all_inner_texts


async def test_languages_and_runtimes_stand_side_by_side(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open(target_languages=["es", "fr"])
    await speaker.say(1, 2)
    page = await _open(chromium, stack)
    record = PageRecord(page)
    for column, expected in {
        "en": ["Sentence 1 was said", "Sentence 2 was said"],
        "es": ["La frase 1 fue dicha", "La frase 2 fue dicha"],
        "es~B": ["Una frase 1 fue dicha", "Una frase 2 fue dicha"],
        "fr": ["La frase 1 fue dicha", "La frase 2 fue dicha"],
        "fr~B": ["Una frase 1 fue dicha", "Una frase 2 fue dicha"],
    }.items():
        await settled(_texts(page, column), expected)
    heads = page.locator("thead th .name")
    await settled(
        heads.all_inner_texts, ["English", "Español", "Español B", "Français", "Français B"]
    )
    # It follows live.
    await speaker.say(3)
    await settled(_texts(page, "fr~B"), [f"Una frase {n} fue dicha" for n in (1, 2, 3)])
    assert record.problems == []


async def test_words_that_only_one_runtime_has_are_marked(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    page = await _open(chromium, stack)
    own = page.locator('td[data-column="es"] mark')
    other = page.locator('td[data-column="es~B"] mark')
    await expect(own).to_have_text("La ")
    await expect(other).to_have_text("Una ")
    # Not by its colour alone.
    assert "underline" in await own.evaluate("mark => getComputedStyle(mark).textDecorationLine")
    await page.get_by_label("Español B").uncheck()
    await expect(page.locator('[data-column="es~B"]')).to_have_count(0)
    await expect(own).to_have_count(0)
    await page.get_by_label("English").uncheck()
    await expect(page.locator("thead .name")).to_have_text(["Español"])
    await page.get_by_label("Español B").check()
    await expect(other).to_have_text("Una ")


async def test_each_column_has_its_percentiles(start_desk: StartDesk, chromium: Browser) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(*range(1, 21))
    page = await _open(chromium, stack)
    translations = await stack.events_of(speaker.session_id, "translation", 20)
    others = await stack.events_of(speaker.session_id, "alternative_translation", 20)
    for column, times_ms in {
        "es": sorted(each.translation.engine_ms for each in translations),
        "es~B": sorted(each.alternative_translation.engine_ms for each in others),
    }.items():
        head = page.locator(f'th[data-column="{column}"]')
        await expect(head).to_contain_text("(20)")
        # Nearest rank: the 10th and the 19th of twenty.
        await expect(head.locator(".p50")).to_have_text(f"{times_ms[9] / 1000:.2f} s")
        await expect(head.locator(".p95")).to_have_text(f"{times_ms[18] / 1000:.2f} s")


async def test_who_scrolled_back_is_not_dragged_to_the_end(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(*range(1, 31))
    page = await _open(chromium, stack)
    await settled(page.locator("#rows tr").count, 30)
    top = "document.getElementById('scroller').scrollTop"

    async def is_at_end() -> bool:
        return bool(await page.evaluate(f"{top} > 0"))

    await settled(is_at_end, True)
    await page.evaluate(f"{top} = 40")
    await expect(page.get_by_role("button", name="Back to live")).to_be_visible()
    await speaker.say(31)
    await settled(page.locator("#rows tr").count, 31)
    assert await page.evaluate(top) == 40
    await page.get_by_role("button", name="Back to live").click()
    await expect(page.get_by_role("button", name="Back to live")).to_be_hidden()


async def test_a_corrected_and_a_hidden_line_are_told(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1, 2)
    page = await _open(chromium, stack)
    await settled(_texts(page, "es"), ["La frase 1 fue dicha", "La frase 2 fue dicha"])
    for operation, body in (
        ("correct", {"segment_id": 1, "language": "es", "text": "Otra frase"}),
        ("hide", {"segment_id": 2, "is_hidden": True}),
    ):
        answer = await page.request.post(
            f"{stack.url}/operator/{operation}", data={"session_id": speaker.session_id, **body}
        )
        assert answer.ok
    await settled(_texts(page, "es"), ["Otra frase", "La frase 2 fue dicha"])
    await expect(page.locator('tr[data-segment="2"]')).to_contain_text("hidden")


async def test_the_comparison_wants_the_operators_token(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk(operator_token="operator-token-0001")
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    page = await _open(chromium, stack)
    dialog = page.get_by_role("dialog", name="Who may operate?")
    await dialog.get_by_label("Token").fill("operator-token-0001")
    await page.keyboard.press("Enter")
    await settled(_texts(page, "es"), ["La frase 1 fue dicha"])
