"""The displays that docs/displays.md quotes: they are the files beside it, and they work."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import Page

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.settings import port
from tests.captions.conftest import StartCaptions, base, journal, start_captions
from tests.captions.upstream import ScriptedJournal, draft
from tests.processes import REPOSITORY, ServiceProcess, free_port_base
from tests.web.browser import browser, require_chromium, settled

__all__ = ["base", "journal", "start_captions"]

EXAMPLES = REPOSITORY / "docs" / "examples"
PAGE = REPOSITORY / "docs" / "displays.md"
DEADLINE_S = 30.0
TOKEN = "let-me-see-what-is-said"


@pytest.mark.parametrize("name", ["display.py", "display.mjs", "display.html"])
def test_the_page_quotes_each_program_as_it_is(name: str) -> None:
    language = {"py": "python", "mjs": "javascript", "html": "html"}[name.rpartition(".")[2]]
    quoted = f"```{language}\n{(EXAMPLES / name).read_text(encoding='utf-8')}```"
    assert quoted in PAGE.read_text(encoding="utf-8")
    assert f"(examples/{name})" in PAGE.read_text(encoding="utf-8")


async def test_the_display_in_python_goes_on_where_it_was_when_captions_was_killed(
    journal: ScriptedJournal, start_captions: StartCaptions, base: int
) -> None:
    captions = await start_captions(view_token=TOKEN)
    arguments = (str(EXAMPLES / "display.py"), captions.address, "es", TOKEN)
    protos = {"PYTHONPATH": str(REPOSITORY / "protos")}
    async with printing(sys.executable, *arguments, **protos) as lines:
        await goes_on(journal, base, captions, lines)


async def test_the_display_in_python_says_why_it_is_sent_away(
    start_captions: StartCaptions, journal: ScriptedJournal
) -> None:
    captions = await start_captions(view_token=TOKEN)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / "display.py"), captions.address, "es", "wrong"),
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "protos")},
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(DEADLINE_S):
        _, said = await process.communicate()
    assert process.returncode == 1
    assert said.decode().startswith("TOKEN_UNKNOWN: ")


async def test_the_display_in_javascript_goes_on_where_it_was_when_captions_was_killed(
    journal: ScriptedJournal, start_captions: StartCaptions, base: int
) -> None:
    node = shutil.which("node")
    if node is None or not (EXAMPLES / "node_modules" / "@grpc" / "grpc-js").is_dir():
        pytest.skip("needs node, and `npm install` in docs/examples")
    captions = await start_captions(view_token=TOKEN)
    arguments = (str(EXAMPLES / "display.mjs"), captions.address, "es", TOKEN)
    async with printing(node, *arguments) as lines:
        await goes_on(journal, base, captions, lines)


async def test_the_display_in_a_browser_goes_on_and_shows_what_operators_leave(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    require_chromium()
    own_port = free_port_base()
    origin = f"http://127.0.0.1:{own_port}"
    captions = await start_captions(allowed_origins=origin, view_token=TOKEN)
    server = captions.web.replace("http", "ws")  # type: ignore[attr-defined]
    journal.start_session()
    journal.say(1, "one", "uno")
    async with serving_examples(own_port), browser() as chromium:
        page = await chromium.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(f"{origin}/display.html?server={server}&token={TOKEN}")
        await shows(page, "uno")
        await journal.wait_followed()
        journal.live(translation=draft(2, 1, "y"))
        await shows(page, "uno", "y")
        assert await page.locator("p.unstable").all_inner_texts() == ["y"]
        captions.kill()
        await shows(page, "uno")
        journal.say(2, "two", "<b>dos</b>")
        captions.start()
        await shows(page, "uno", "<b>dos</b>")
        assert await page.locator("p.unstable, main b").count() == 0
        journal.correct(1, "es", "Uno.")
        await shows(page, "Uno.", "<b>dos</b>")
        journal.append("sunday", segment_hidden=gateway.SegmentHidden(segment_id=1, is_hidden=True))
        await shows(page, "<b>dos</b>")
        journal.append("sunday", segment_hidden=gateway.SegmentHidden(segment_id=1))
        await shows(page, "Uno.", "<b>dos</b>")
        journal.append("", screens=gateway.Screens(is_blank=True, announcement="Hay café"))
        await shows(page)
        assert await page.locator("#announcement").inner_text() == "Hay café"
        journal.append("", screens=gateway.Screens())
        journal.append("sunday", session_reset=gateway.SessionReset(segment_id=2))
        journal.say(3, "three", "tres")
        await shows(page, "tres")
        assert problems == []


async def goes_on(
    journal: ScriptedJournal, base: int, captions: ServiceProcess, lines: asyncio.StreamReader
) -> None:
    """Speaks, kills captions, speaks, and sees every line once and in order."""
    journal.start_session()
    journal.say(1, "one", "uno")
    journal.say(2, "two", "dos")
    assert await printed(lines, 2) == ["1 uno", "2 dos"]
    captions.kill()
    journal.say(3, "three", "tres")
    journal.append("sunday", segment_hidden=gateway.SegmentHidden(segment_id=2, is_hidden=True))
    captions.start()
    assert await printed(lines, 2) == ["3 tres", "2 (hidden)"]
    journal.append("sunday", segment_hidden=gateway.SegmentHidden(segment_id=2))
    journal.correct(1, "es", "Uno.")
    assert await printed(lines, 2) == ["2 dos", "1 Uno."]
    captions.kill()
    await journal.stop()
    replaced = ScriptedJournal("journal-2")  # longer than the old one: its numbers are known ones
    replaced.start_session("monday")
    for number in range(1, 9):
        replaced.say(number, f"new {number}", f"nuevo {number}", session_id="monday")
    await replaced.serve(f"127.0.0.1:{port('gateway', base)}")
    captions.start()
    assert await printed(lines, 8) == [f"{number} nuevo {number}" for number in range(1, 9)]
    await replaced.stop()


async def printed(lines: asyncio.StreamReader, count: int) -> list[str]:
    async with asyncio.timeout(DEADLINE_S):
        return [(await lines.readline()).decode().rstrip() for _ in range(count)]


async def shows(page: Page, *lines: str) -> None:
    async def visible() -> list[str]:
        texts = await page.locator("#lines p").all_inner_texts()
        return texts if await page.locator("#lines").is_visible() else []

    await settled(visible, list(lines))


@asynccontextmanager
async def printing(*command: str, **environment: str) -> AsyncIterator[asyncio.StreamReader]:
    """Runs a display; its stdout."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        yield process.stdout
        assert process.returncode is None, "it ended by itself"
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def serving_examples(own_port: int) -> AsyncIterator[None]:
    """As `python -m http.server` would."""
    app = web.Application()
    app.router.add_static("/", EXAMPLES)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", own_port).start()
    try:
        yield
    finally:
        await runner.cleanup()
