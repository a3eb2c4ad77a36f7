"""What an operator sees of the desk, and does on it."""

from __future__ import annotations

from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.web.browser import PageRecord, settled


class DeskPage:
    """One operator's page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.record = PageRecord(page)
        self.state = page.locator("#state")
        self.connection = page.locator("#connection")
        self.outcome = page.locator("#outcome")
        self.notice = page.locator("#notice")

    @classmethod
    async def new(cls, context: BrowserContext, url: str) -> DeskPage:
        return cls(await context.new_page(), url)

    async def open(self, query: str = "") -> None:
        await self.page.goto(f"{self.url}/operator{query}")

    def cell(self, segment_id: int, language: str) -> Locator:
        return self.page.locator(f'[data-segment="{segment_id}"] [data-language="{language}"]')

    def text(self, segment_id: int, language: str) -> Locator:
        return self.cell(segment_id, language).locator("> .text")

    async def wait_texts(self, language: str, expected: list[str]) -> None:
        """The texts in one language from top to bottom."""
        cells = self.page.locator(f'.segment [data-language="{language}"] > .text')
        await settled(cells.all_inner_texts, expected)

    async def correct(self, segment_id: int, language: str, text: str) -> None:
        await self.text(segment_id, language).click()
        field = self.cell(segment_id, language).get_by_label("Corrected text")
        await field.fill(text)
        await field.press("Enter")

    async def confirm(self, name: str) -> None:
        await self.page.get_by_role("dialog").get_by_role("button", name=name).click()

    async def expect_outcome(self, text: str) -> None:
        await expect(self.outcome).to_have_text(text)
