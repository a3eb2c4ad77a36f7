"""What a reader sees of the phone page, and does on it."""

from __future__ import annotations

from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.web.browser import PageRecord, settled

_SCROLLER = "document.getElementById('scroller')"
_IS_AT_END = f"""() => {{
  const {{ scrollHeight, scrollTop, clientHeight }} = {_SCROLLER};
  return scrollHeight - scrollTop - clientHeight < 2;
}}"""


class PhonePage:
    """One reader's page."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.record = PageRecord(page)
        self.language = page.get_by_label("Language")
        self.to_live = page.get_by_role("button", name="Back to live")

    @classmethod
    async def new(cls, context: BrowserContext, url: str) -> PhonePage:
        return cls(await context.new_page(), url)

    async def open(self, query: str = "") -> None:
        await self.page.goto(f"{self.url}/{query}")

    async def open_sheet(self) -> None:
        await self.page.get_by_role("button", name="Reading, services and downloads").click()

    async def close_sheet(self) -> None:
        await self.page.get_by_role("button", name="Done").click()

    async def choose(self, label: str) -> None:
        """One choice of the sheet, with the sheet opened for it and closed again."""
        await self.open_sheet()
        await self.page.get_by_label(label, exact=True).check()
        await self.close_sheet()

    async def lines(self, kind: str) -> list[str]:
        """The visible texts of `kind` ("source" or "target") from top to bottom."""
        texts: list[str] = await self.page.locator(f".segment .{kind}").all_inner_texts()
        return [text for text in texts if text]

    async def wait_lines(self, kind: str, expected: list[str]) -> None:
        await settled(lambda: self.lines(kind), expected)

    async def wait_status(self, expected: str) -> None:
        await settled(self.page.locator("#status").inner_text, expected)

    async def classes(self, kind: str) -> list[str]:
        return list(
            await self.page.locator(f".segment .{kind}").evaluate_all(
                "elements => elements.map((each) => each.className)"
            )
        )

    async def announced(self) -> list[str]:
        """What the live region holds for screen readers."""
        return await self.page.locator("#announcer p").all_inner_texts()

    async def wait_at_end(self) -> None:
        await settled(lambda: self.run(_IS_AT_END), True)

    async def scroll_to(self, top: int) -> None:
        await self.run(f"top => {{ {_SCROLLER}.scrollTop = top }}", top)

    async def scroll_top(self) -> float:
        return float(await self.run(f"{_SCROLLER}.scrollTop"))

    async def run(self, script: str, argument: object = None) -> Any:
        return await self.page.evaluate(script, argument)
