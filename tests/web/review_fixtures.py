"""Fixtures of the review page: a stack with doubtful pairs, and reviewers who open the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.web.review_page import ReviewPage
from tests.web.review_stack import Line, ReviewStack

StartReview = Callable[..., Awaitable[ReviewStack]]
NewReviewer = Callable[[ReviewStack], Awaitable[ReviewPage]]

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
        lines: Sequence[Line] = SERMON[:2],
        store_audio: bool = False,
        target_languages: Sequence[str] = ("es",),
        **collector: object,
    ) -> ReviewStack:
        stacks.append(ReviewStack(tmp_path, lines, **collector))
        await stacks[-1].start()
        await stacks[-1].speak(store_audio=store_audio, target_languages=target_languages)
        return stacks[-1]

    yield start
    for stack in stacks:
        await stack.stop()


@pytest.fixture
async def reviewer(chromium: Browser) -> NewReviewer:
    """A page that is not opened yet, in a context of its own: another person's browser."""

    async def new(stack: ReviewStack) -> ReviewPage:
        context = await chromium.new_context(locale="en-US")
        context.set_default_timeout(15_000)
        return await ReviewPage.new(context, stack.url)

    return new
