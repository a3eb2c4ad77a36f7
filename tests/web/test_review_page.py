"""The review page in a real browser, over a real gateway, Redis and collector."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.web.browser import settled
from tests.web.review_page import ReviewPage
from tests.web.review_stack import Line, ReviewStack

StartReview = Callable[..., Awaitable[ReviewStack]]

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")
SERMON = [
    Line(f"The river rose {number} times that year", f"El río creció {number} veces ese año")
    for number in NUMBERS
]


@pytest.fixture
async def start_review(tmp_path: Path) -> AsyncIterator[StartReview]:
    """Starts a stack in which these lines were said; keywords are settings of the collector."""
    stacks: list[ReviewStack] = []

    async def start(
        lines: Sequence[Line] = SERMON[:2], store_audio: bool = False, **collector: object
    ) -> ReviewStack:
        stacks.append(ReviewStack(tmp_path, lines, **collector))
        await stacks[-1].start()
        await stacks[-1].speak(store_audio=store_audio)
        return stacks[-1]

    yield start
    for stack in stacks:
        await stack.stop()


@pytest.fixture
async def reviewer(chromium: Browser) -> Callable[[ReviewStack], Awaitable[ReviewPage]]:
    """A page that is not opened yet, in a context of its own: another person's browser."""

    async def new(stack: ReviewStack) -> ReviewPage:
        context = await chromium.new_context(locale="en-US")
        context.set_default_timeout(15_000)
        return await ReviewPage.new(context, stack.url)

    return new


NewReviewer = Callable[[ReviewStack], Awaitable[ReviewPage]]


async def test_two_reviewers_never_have_the_same_pair_and_finish_all_together(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON)
    seen: dict[str, list[str]] = {"Ana": [], "Ben": []}
    on_screen: dict[str, str] = {}

    async def review_all(page: ReviewPage, name: str) -> None:
        while text := await page.shown():
            assert text not in on_screen.values()
            on_screen[name] = text
            seen[name].append(text)
            await asyncio.sleep(0)  # the other one looks at theirs
            assert list(on_screen.values()).count(text) == 1
            del on_screen[name]
            await page.press("Enter")
            await page.wait_other_than(text)

    ana, ben = await reviewer(stack), await reviewer(stack)
    await asyncio.gather(ana.open("Ana"), ben.open("Ben"))
    for page in (ana, ben):
        await expect(page.source).not_to_have_value("")
    assert await ana.source.input_value() != await ben.source.input_value()
    await asyncio.gather(review_all(ana, "Ana"), review_all(ben, "Ben"))
    assert sorted(seen["Ana"] + seen["Ben"]) == sorted(line.source for line in SERMON)
    entries = await stack.corrected_after(len(SERMON))
    assert len({entry["pair_id"] for entry in entries}) == len(entries) == len(SERMON)
    assert {entry["reviewer"] for entry in entries} == {name for name in seen if seen[name]}
    assert stack.open_count() == 0
    assert ana.record.problems == ben.record.problems == []


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
    await settled(page.notice.inner_text, "Ana has given no verdict to take back")


async def test_a_pair_that_somebody_else_took_is_told_and_the_text_stays(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1], review_lease_s=1)
    ana, ben = await reviewer(stack), await reviewer(stack)
    await ana.open("Ana")
    await ana.wait_source(SERMON[0].source)
    await ana.target.fill("Una traducción que tardó mucho")
    # Her browser is cut off for longer than a lease lasts.
    await ana.page.context.set_offline(True)
    await ben.open("Ben")
    await ben.wait_source(SERMON[0].source)
    await ana.page.context.set_offline(False)
    await settled(ana.page.locator("#next").is_visible, True)
    assert "Ben has" in await ana.notice.inner_text()
    assert "stays here until you go on" in await ana.notice.inner_text()
    assert await ana.target.input_value() == "Una traducción que tardó mucho"
    await ana.press("Enter")  # not hers to decide
    await ben.press("a")
    await expect(ben.empty).to_be_visible()
    assert await ana.target.input_value() == "Una traducción que tardó mucho"
    await ana.press("n")
    await expect(ana.empty).to_be_visible()
    (entry,) = await stack.corrected_after(1)
    assert (entry["decision"], entry["reviewer"]) == ("accepted", "Ben")


async def test_a_lease_that_ran_out_is_taken_again_by_who_still_works_on_it(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1], review_lease_s=2)
    ana, ben = await reviewer(stack), await reviewer(stack)
    await ana.open("Ana")
    await ana.wait_source(SERMON[0].source)
    await ana.page.context.set_offline(True)
    await ben.open("Ben")
    await ben.wait_source(SERMON[0].source)
    await ben.page.goto("about:blank")  # he gives it back
    await ana.page.context.set_offline(False)
    await ana.press("a")
    await expect(ana.empty).to_be_visible()
    (entry,) = await stack.corrected_after(1)
    assert entry["reviewer"] == "Ana"


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


async def test_leaving_the_page_gives_the_pair_back(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1])
    ana, ben = await reviewer(stack), await reviewer(stack)
    await ana.open("Ana")
    await ana.wait_source(SERMON[0].source)
    await ben.open("Ben")
    await expect(ben.empty).to_be_visible()
    await ana.page.goto("about:blank")
    await ben.wait_source(SERMON[0].source)  # it looks again by itself
