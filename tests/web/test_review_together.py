"""Several reviewers, windows and moderators at once: nobody undoes what another decided."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect

from glossa.gateway.v1 import gateway_pb2
from tests.web.browser import settled
from tests.web.review_fixtures import SERMON, NewReviewer, StartReview
from tests.web.review_page import ReviewPage


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


async def test_what_a_second_window_of_the_same_name_says_is_not_lost_unseen(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1])
    first, second = await reviewer(stack), await reviewer(stack)
    for window in (first, second):  # both have Ana's one pair
        await window.open("Ana")
        await window.wait_source(SERMON[0].source)
    await second.target.fill("Lo que se escribió en la segunda")
    await first.target.fill("Lo que se escribió en la primera")
    await first.press("Enter")
    await expect(first.empty).to_be_visible()
    await second.press("Enter")
    await settled(second.page.locator("#next").is_visible, True)
    assert "stays here until you go on" in await second.notice.inner_text()
    assert await second.target.input_value() == "Lo que se escribió en la segunda"
    (entry,) = await stack.corrected_after(1)
    assert entry["target_text"] == "Lo que se escribió en la primera"


async def test_what_a_moderator_changed_meanwhile_is_not_accepted_unseen(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1])
    page = await reviewer(stack)
    await page.open("Ana")
    await page.wait_source(SERMON[0].source)
    (pair,) = await stack.journalled("pair_scored")
    await stack.gateway.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=pair.session_id, segment_id=1, language="es", text="El río creció una vez"
        )
    )
    await stack.collected_to_the_end()
    await page.press("a")
    await settled(
        page.notice.inner_text, "Somebody changed this pair meanwhile; look at it once more."
    )
    assert await page.target.input_value() == "El río creció una vez"
    await page.press("a")
    await expect(page.empty).to_be_visible()
    (entry,) = await stack.corrected_after(1)
    assert entry["target_text"] == "El río creció una vez"


async def test_a_fix_of_one_text_does_not_revert_a_moderator_in_the_other(
    start_review: StartReview, reviewer: NewReviewer
) -> None:
    stack = await start_review(SERMON[:1])
    page = await reviewer(stack)
    await page.open("Ana")
    await page.wait_source(SERMON[0].source)
    await page.source.fill("It was put right")
    (pair,) = await stack.journalled("pair_scored")
    await stack.gateway.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=pair.session_id, segment_id=1, language="es", text="El río creció una vez"
        )
    )
    await stack.collected_to_the_end()
    await page.press("Enter")
    await settled(
        page.notice.inner_text, "Somebody changed this pair meanwhile; look at it once more."
    )
    assert await page.source.input_value() == "It was put right"
    assert await page.target.input_value() == "El río creció una vez"
    await page.press("Enter")
    await expect(page.empty).to_be_visible()
    (entry,) = await stack.corrected_after(1)
    assert (entry["source_text"], entry["target_text"]) == (
        "It was put right",
        "El río creció una vez",
    )


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
