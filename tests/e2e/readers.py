"""People who have a page open: what it was sent, and what it showed them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from playwright.async_api import Browser, Page, WebSocket

from tests.web.browser import PageRecord

_NOTES_TEXTS = Path(__file__).with_name("shown_texts.js")
PHONE = {"width": 390, "height": 800}
SCREEN = {"width": 1280, "height": 720}
DESK = {"width": 1400, "height": 900}
SHOWN_WITHIN_S = 60.0  # a screen for a hall keeps to a pace that can be read


class Shown(NamedTuple):
    """One text that a page showed; drafts of a rolling screen have segment 0."""

    segment_id: int
    language: str
    is_partial: bool
    text: str


class Reader:
    """One page in a browser context of its own."""

    def __init__(self, page: Page, *, is_rolling: bool) -> None:
        self.page = page
        self.record = PageRecord(page)
        self.frames: list[str] = []
        self.connection_count = 0
        self._has_heard = False  # over the newest connection
        self._is_rolling = is_rolling
        page.on("websocket", self._note_connection)

    @classmethod
    async def open(
        cls,
        browser: Browser,
        url: str,
        viewport: dict[str, int],
        *,
        locale: str = "en-US",
        is_rolling: bool = False,
        **context_options: Any,
    ) -> Reader:
        """`is_rolling`: lines leave the page again when others come."""
        context = await browser.new_context(viewport=viewport, locale=locale, **context_options)
        context.set_default_timeout(20_000)
        await context.add_init_script(path=_NOTES_TEXTS)
        reader = cls(await context.new_page(), is_rolling=is_rolling)
        await reader.page.goto(url)
        return reader

    async def close(self) -> None:
        await self.page.context.close()

    async def shown(self, language: str) -> list[Shown]:
        """Everything that was ever shown in a language, in order."""
        texts = [Shown(*each) for each in await self.page.evaluate("window.shownTexts")]
        return [each for each in texts if each.language == language]

    async def finals(self, language: str) -> list[tuple[int, str]]:
        """(segment, text) from top to bottom; of a rolling page what has left it, too."""
        if not self._is_rolling:
            return [(number, text) for number, text in await self._standing(language)]
        lines: dict[int, list[str]] = {}
        for each in await self.shown(language):
            if not each.is_partial:
                lines.setdefault(each.segment_id, []).append(each.text)
        return [(number, " ".join(texts)) for number, texts in lines.items()]

    async def standing_text(self, language: str) -> str:
        """The finals that can be read now."""
        return " ".join(text for _, text in await self._standing(language))

    async def _standing(self, language: str) -> list[list[Any]]:
        texts: list[list[Any]] = await self.page.evaluate(
            "language => window.standingFinals(language)", language
        )
        return texts

    async def wait_finals(self, language: str, expected: dict[int, str]) -> None:
        """Until every line is there once and in order; fails with what is there instead."""
        wanted = sorted(expected.items())
        found: list[tuple[int, str]] | None = None  # the page does not answer
        try:
            async with asyncio.timeout(SHOWN_WITHIN_S):
                while (found := await self.finals(language)) != wanted:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(
                f"{self.page.url} in {language}: {found!r}, not {wanted!r}"
            ) from None

    async def wait_standing(self, language: str, text: str, *, is_there: bool) -> None:
        """Until a text can be read, or can no longer."""
        try:
            async with asyncio.timeout(SHOWN_WITHIN_S):
                while (text in await self.standing_text(language)) is not is_there:
                    await asyncio.sleep(0.05)
        except TimeoutError:
            standing = await self.standing_text(language)
            raise AssertionError(f"{self.page.url}: {text!r} and {standing!r}") from None

    async def wait_connected_again(self, connection_count: int) -> None:
        """Until more connections were opened than that, and something came over the newest."""
        async with asyncio.timeout(SHOWN_WITHIN_S):
            while self.connection_count <= connection_count or not self._has_heard:
                await asyncio.sleep(0.05)

    def captions(self) -> Iterable[dict[str, Any]]:
        """The captions among the frames of /ws, as they came."""
        for frame in self.frames:
            event = json.loads(frame)
            if "caption" in event:
                yield event["caption"]

    def _note_connection(self, socket: WebSocket) -> None:
        self.connection_count += 1
        self._has_heard = False
        socket.on("framereceived", self._note_frame)

    def _note_frame(self, payload: str | bytes) -> None:
        self._has_heard = True
        self.frames.append(str(payload))


class Congregation:
    """Everybody who reads one service: on phones, in the hall, online, at the desk."""

    def __init__(self, readers: dict[str, Reader]) -> None:
        self._readers = readers
        self.phone, self.english_phone = readers["phone"], readers["english_phone"]
        self.hall, self.stream = readers["hall"], readers["stream"]
        self.desk, self.comparison = readers["desk"], readers["comparison"]

    @classmethod
    async def gather(
        cls,
        browser: Browser,
        url: str,
        *,
        viewing: str = "",
        operating: str = "",
        **context_options: Any,
    ) -> Congregation:
        """`viewing` and `operating` are fragments of the links (`#token=...`)."""
        pages: dict[str, tuple[str, dict[str, Any]]] = {
            "phone": (f"/{viewing}", {"viewport": PHONE, "locale": "es-ES"}),
            "english_phone": (f"/?language=en{viewing}", {"viewport": PHONE}),
            "hall": (
                f"/audience?language=source,target{viewing}",
                {"viewport": SCREEN, "is_rolling": True},
            ),
            "stream": (
                f"/overlay?clear_after=0&lines=4{viewing}",
                {"viewport": SCREEN, "is_rolling": True},
            ),
            "desk": (f"/operator{operating}", {"viewport": DESK}),
            "comparison": (f"/compare{operating}", {"viewport": DESK}),
        }
        base = url.rstrip("/")
        return cls(
            {
                name: await Reader.open(browser, base + path, **options, **context_options)
                for name, (path, options) in pages.items()
            }
        )

    def __iter__(self) -> Iterator[Reader]:
        return iter(self._readers.values())

    def reading(self, language: str) -> list[Reader]:
        """Those who read this language."""
        if language == "en":
            return [each for each in self if each is not self.stream]
        return [each for each in self if each is not self.english_phone]

    async def wait_finals(self, language: str, expected: dict[int, str]) -> None:
        for reader in self.reading(language):
            await reader.wait_finals(language, expected)

    async def leave(self) -> None:
        for reader in self:
            await reader.close()
