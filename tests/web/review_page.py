"""What a reviewer sees of the review page, and does on it."""

from __future__ import annotations

from playwright.async_api import BrowserContext, Page

from tests.web.browser import PageRecord, settled


class ReviewPage:
    """One reviewer's page in a browser context of their own."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.record = PageRecord(page)
        self.source = page.get_by_label("Original")
        self.target = page.get_by_label("Translation")
        self.accept = page.locator("#accept")
        self.notice = page.get_by_role("alert")
        self.status = page.get_by_role("status")
        self.empty = page.get_by_role("heading", name="Nothing waits")

    @classmethod
    async def new(cls, context: BrowserContext, url: str) -> ReviewPage:
        return cls(await context.new_page(), url)

    async def open(self, name: str, path: str = "/") -> None:
        """Opens the page as somebody who comes for the first time."""
        await self.page.goto(self.url + path)
        await self.page.get_by_label("Your name").fill(name)
        await self.page.keyboard.press("Enter")

    async def wait_source(self, expected: str) -> None:
        await settled(self.source.input_value, expected)

    async def shown(self) -> str:
        """The original of the pair on the screen; empty while there is none."""
        is_there = await self.page.locator("#pair").is_visible()
        return await self.source.input_value() if is_there else ""

    async def wait_other_than(self, text: str) -> None:
        async def is_other() -> bool:
            return await self.shown() != text

        await settled(is_other, True)

    async def wait_status(self, expected: str) -> None:
        await settled(self.status.inner_text, expected)

    async def press(self, key: str) -> None:
        """A key outside the text fields."""
        await self.page.locator("#pair-title").focus()
        await self.page.keyboard.press(key)

    async def progress(self) -> str:
        return await self.page.locator("#progress-text").inner_text()
