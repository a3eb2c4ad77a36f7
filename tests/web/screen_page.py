"""What a hall sees of the audience page, and a stream of the overlay."""

from __future__ import annotations

from typing import Any

from playwright.async_api import BrowserContext, Page

from tests.web.browser import PageRecord, settled

# Notes every change of a line's words after it was painted, and every draft.
_WATCH_LINES = """() => {
  window.changedLines = [];
  window.seenDrafts = new Set();
  const painted = new WeakMap();
  const look = () => {
    for (const line of document.querySelectorAll('.rows .line')) {
      const before = painted.get(line);
      if (before !== undefined && before !== line.textContent) {
        window.changedLines.push([before, line.textContent]);
      }
      painted.set(line, line.textContent);
    }
    for (const draft of document.querySelectorAll('.draft')) {
      if (draft.textContent) window.seenDrafts.add(draft.textContent);
    }
  };
  look();
  const options = { subtree: true, childList: true, characterData: true };
  new MutationObserver(look).observe(document.getElementById('stage'), options);
}"""
# What reaches out of the window, or out of the element that it stands in.
_OVERFLOWS = """() => {
  const { innerWidth, innerHeight } = window;
  const parts = [...document.querySelectorAll('.rows .line, .draft, header > *, #sign, #title')];
  const isSeen = (each) => each.getClientRects().length > 0 && each.textContent;
  return parts.filter(isSeen).filter((each) => {
    const { left, top, right, bottom } = each.getBoundingClientRect();
    const isOut = left < 0 || top < 0 || right > innerWidth || bottom > innerHeight;
    return isOut || each.scrollWidth > each.clientWidth + 1;
  }).map((each) => each.textContent.slice(0, 60));
}"""


class ScreenPage:
    """A page whose lines roll: /audience or /overlay."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.record = PageRecord(page)

    @classmethod
    async def new(cls, context: BrowserContext, url: str) -> ScreenPage:
        return cls(await context.new_page(), url)

    async def open(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def lines(self, column: int = 0) -> list[str]:
        """The committed lines of a column, from top to bottom."""
        rows = self.page.locator(".column").nth(column).locator(".rows .line")
        return [text for text in await rows.all_inner_texts() if text]

    async def text(self, column: int = 0) -> str:
        """The committed text of a column, however it is broken into lines."""
        return " ".join(await self.lines(column))

    async def draft(self, column: int = 0) -> str:
        return await self.page.locator(".draft").nth(column).inner_text()

    async def wait_text(self, expected: str, column: int = 0) -> None:
        await settled(lambda: self.text(column), expected)

    async def wait_draft(self, expected: str, column: int = 0) -> None:
        await settled(lambda: self.draft(column), expected)

    async def wait_ready(self) -> None:
        """Waits until the columns of a session are there."""
        await self.page.locator(".column").first.wait_for(state="attached")

    async def wait_still(self) -> None:
        """Waits until nothing rolls."""
        await self.run("Promise.all(document.getAnimations().map((each) => each.finished))")

    async def has_class(self, name: str) -> bool:
        return bool(await self.run("name => document.body.classList.contains(name)", name))

    async def watch_lines(self) -> None:
        await self.run(_WATCH_LINES)

    async def changed_lines(self) -> list[list[str]]:
        """[before, after] of every line that was changed since watch_lines."""
        changed: list[list[str]] = await self.run("window.changedLines")
        return changed

    async def count_drafts(self) -> int:
        """How many different drafts were seen since watch_lines."""
        count: int = await self.run("window.seenDrafts.size")
        return count

    async def overflows(self) -> list[str]:
        found: list[str] = await self.run(_OVERFLOWS)
        return found

    async def run(self, script: str, argument: object = None) -> Any:
        return await self.page.evaluate(script, argument)
