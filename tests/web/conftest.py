"""The pages of real service processes in a real browser; each test has its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from services.settings import port
from tests.captions.conftest import StartCaptions, base, journal, start_captions
from tests.web.audience_fixtures import hall
from tests.web.browser import browser, require_chromium
from tests.web.desk_fixtures import new_desk, start_desk
from tests.web.phone_page import PhonePage
from tests.web.review_fixtures import reviewer, start_review

__all__ = [
    "StartCaptions",
    "base",
    "hall",
    "journal",
    "new_desk",
    "reviewer",
    "start_captions",
    "start_desk",
    "start_review",
]


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    require_chromium()
    async with browser() as chromium:
        yield chromium


@pytest.fixture
async def page(chromium: Browser, base: int) -> AsyncIterator[PhonePage]:
    """The phone page of the captions process on the ports of `base`; not opened yet."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    yield await PhonePage.new(context, f"http://127.0.0.1:{port('captions_web', base)}")
    await context.close()
