"""How comfortable the phone page is, for everybody, on every screen."""

from __future__ import annotations

import re

import aiohttp
import pytest
from axe_playwright_python.async_playwright import Axe

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, partial, translated
from tests.web.browser import settled
from tests.web.phone_page import PhonePage

_SMALL, _LAPTOP, _WALL = (360, 640), (1280, 800), (3840, 2160)
_IS_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
_TOO_SMALL_TARGETS = """() => {
  const isSmall = (each) => {
    const box = (each.matches("input") ? each.closest("label") : each).getBoundingClientRect();
    return box.width > 0 && (box.width < 44 || box.height < 44);
  };
  const targets = document.querySelectorAll("button, select, a, input");
  return [...targets].filter(isSmall).map((each) => each.outerHTML);
}"""
_TEXT_PX = "parseFloat(getComputedStyle(document.querySelector('.target')).fontSize)"


async def _show_everything(journal: ScriptedJournal, page: PhonePage) -> None:
    """Finals, a correction, a partial, Arabic."""
    await page.open()
    await page.wait_status("live")
    journal.correct(2, "es", "dos, y corregido")
    journal.live(transcript=partial(41, 1, "firm", "and not yet"))
    journal.live(translation=draft(41, 1, "aún no"))
    await settled(lambda: page.page.locator(".target").last.inner_text(), "aún no")
    await settled(page.page.locator(".corrected").count, 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nobody_is_kept_out_by_how_they_see_or_tap(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage, scheme: str
) -> None:
    journal.start_session(targets=("es", "ar"))
    for number in range(1, 41):
        journal.say(number, f"sentence {number}", f"frase {number}")
    journal.append("sunday", translation=translated(1, "واحد", "ar"))
    await start_captions()
    await page.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await _show_everything(journal, page)
    assert await page.run("document.documentElement.dataset.theme") == scheme

    async def assert_usable() -> None:
        results = await Axe().run(page.page)
        assert [fault["id"] for fault in results.response["violations"]] == []
        assert await page.run(_TOO_SMALL_TARGETS) == []
        assert not await page.run(_IS_TOO_WIDE)

    for width, height in (_SMALL, _LAPTOP, _WALL):
        await page.page.set_viewport_size({"width": width, "height": height})
        await assert_usable()
    assert await page.run(_TEXT_PX) >= 48  # on the wall
    await page.page.set_viewport_size({"width": _SMALL[0], "height": _SMALL[1]})
    await page.wait_at_end()
    await page.scroll_to(0)
    await settled(page.to_live.is_visible, True)
    await assert_usable()
    await page.open_sheet()
    await settled(page.page.locator("#session option").count, 2)
    await assert_usable()
    assert page.record.problems == []


async def test_the_text_grows_and_shrinks_in_steps_and_with_the_browser(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    for number in range(1, 41):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await page.open()
    await page.wait_lines("target", [f"frase {number}" for number in range(1, 41)])
    await page.wait_at_end()
    sizes = [await page.run(_TEXT_PX)]
    await page.open_sheet()
    larger = page.page.get_by_role("button", name="Larger text")
    while await larger.is_enabled():
        await larger.click()
        sizes.append(await page.run(_TEXT_PX))
    assert len(sizes) >= 5
    assert sizes == sorted(set(sizes))
    assert sizes[-1] >= 2.5 * sizes[0]
    await page.close_sheet()
    await page.wait_at_end()  # and the newest line is still the one in view
    assert not await page.run(_IS_TOO_WIDE)
    await page.open()
    await page.wait_status("live")
    assert await page.run(_TEXT_PX) == sizes[-1]
    await page.run("document.documentElement.style.fontSize = '24px'")  # the browser's own setting
    assert await page.run(_TEXT_PX) > 1.2 * sizes[-1]
    viewport = await page.page.locator("meta[name=viewport]").get_attribute("content")
    assert viewport is not None
    assert "user-scalable" not in viewport
    assert "maximum-scale" not in viewport


async def test_everything_goes_by_the_keyboard_alone(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    for number in range(1, 41):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await page.open()
    await page.wait_lines("target", [f"frase {number}" for number in range(1, 41)])
    await page.wait_at_end()
    keyboard = page.page.keyboard
    order = []
    for _ in range(3):
        await keyboard.press("Tab")
        order.append(await page.run("document.activeElement.id"))
    assert order == ["language", "open-sheet", "scroller"]
    await keyboard.press("PageUp")
    await settled(page.to_live.is_visible, True)
    await keyboard.press("Tab")
    await keyboard.press("Enter")
    await page.wait_at_end()
    assert await page.run("document.activeElement.id") == "scroller"
    await page.page.locator("#open-sheet").focus()
    await keyboard.press("Enter")
    await settled(page.page.get_by_role("dialog", name="Reading").is_visible, True)
    await keyboard.press("Escape")
    assert await page.run("document.activeElement.id") == "open-sheet"


async def test_the_page_follows_the_device_until_the_reader_chooses_colours(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await start_captions()
    theme = "document.documentElement.dataset.theme"
    await page.page.emulate_media(color_scheme="light")
    await page.open()
    assert await page.run(theme) == "light"
    await page.page.emulate_media(color_scheme="dark")
    await settled(lambda: page.run(theme), "dark")
    await page.choose("Light")
    assert await page.run(theme) == "light"
    bar = await page.page.locator("meta[name=theme-color]").get_attribute("content")
    ground = await page.run("getComputedStyle(document.body).backgroundColor")
    assert bar is not None
    assert ground == f"rgb({', '.join(str(int(bar[i : i + 2], 16)) for i in (1, 3, 5))})"


async def test_a_service_can_be_downloaded_in_every_format(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "grace", "gracia")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["gracia"])
    await page.open_sheet()
    links = page.page.locator("#download-links a")
    await settled(links.count, 5)
    texts = {}
    for link in await links.all():
        async with page.page.expect_download() as download:
            await link.click()
        file = await download.value
        texts[await link.inner_text()] = (await file.path()).read_text("utf-8")
        assert re.fullmatch(r"[\w .-]+\.(txt|vtt|srt|json)", file.suggested_filename)
    assert list(texts) == [
        "Text, Español (TXT)",
        "Text, Español and English (TXT)",
        "Subtitles, Español (VTT)",
        "Subtitles, Español (SRT)",
        "Everything, for programs (JSON)",
    ]
    assert [("gracia" in text, "grace" in text) for text in texts.values()] == [
        (True, False),
        (True, True),
        (True, False),
        (True, False),
        (True, True),
    ]
    assert page.record.problems == []


async def test_the_page_can_be_put_on_the_home_screen(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    captions = await start_captions()
    await page.open()
    session = await page.page.context.new_cdp_session(page.page)
    answer = await session.send("Page.getAppManifest")
    assert answer["errors"] == []
    errors = (await session.send("Page.getInstallabilityErrors"))["installabilityErrors"]
    assert [each["errorId"] for each in errors] == ["in-incognito"]  # as every test's browser is
    manifest = await page.run("fetch('phone/manifest.webmanifest').then((each) => each.json())")
    base = answer["url"].rsplit("/", 1)[0]
    async with aiohttp.ClientSession() as http:
        for icon in manifest["icons"]:
            async with http.get(f"{base}/{icon['src']}") as file:
                assert (file.status, file.content_type) == (200, icon["type"])
        async with http.get(f"{base}/{manifest['start_url']}") as start:
            assert str(start.url) == f"{captions.web}/"
