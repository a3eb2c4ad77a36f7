"""A real, headless Chromium for the pages' tests."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium")
DEADLINE_S = 20.0

ValueT = TypeVar("ValueT")


def require_chromium() -> None:
    """Skips the test without Chromium; fails where it must be there (CI=true)."""
    if CHROMIUM:
        return
    missing = "chromium is missing: apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """The system's Chromium, driven by Playwright; nothing is downloaded."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            chromium_sandbox=False,
            args=["--disable-gpu", "--disable-dev-shm-usage"],
        )
        try:
            yield chromium
        finally:
            await chromium.close()


async def settled(read: Callable[[], Awaitable[ValueT]], expected: ValueT) -> None:
    """Waits until `read` gives `expected`; fails with what it gave last."""
    last: ValueT | None = None
    try:
        async with asyncio.timeout(DEADLINE_S):
            while (last := await read()) != expected:
                await asyncio.sleep(0.03)
    except TimeoutError:
        raise AssertionError(f"still {last!r}, not {expected!r}") from None


class PageRecord:
    """What a page said to the console, and what it asked of the network."""

    def __init__(self, page: Page) -> None:
        self.problems: list[str] = []
        self.urls: list[str] = []
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("websocket", lambda socket: self.urls.append(socket.url))

    def _note_console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)
