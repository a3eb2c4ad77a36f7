"""The overlay for a stream, with a real captions process, in a real browser."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
import segno
from axe_playwright_python.async_playwright import Axe
from PIL import Image
from playwright.async_api import Browser

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft
from tests.web.browser import settled
from tests.web.screen_page import ScreenPage

_VIEW_TOKEN = "a-token-of-viewers-1"
_LONG = "una mesa se hace más larga cuando alguien acerca otra silla a ella y se sienta"


@pytest.fixture
async def overlay(chromium: Browser, base: int) -> AsyncIterator[ScreenPage]:
    """The overlay of the captions process on the ports of `base`; not opened yet."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 720}, locale="en-US")
    yield await ScreenPage.new(context, f"http://127.0.0.1:{port('captions_web', base)}")
    await context.close()


async def _open(
    journal: ScriptedJournal, start: StartCaptions, overlay: ScreenPage, query: str = ""
) -> None:
    journal.start_session()
    journal.say(1, "Welcome.", "Bienvenidos.")
    await start()
    await overlay.open(f"/overlay{query}")
    await overlay.page.locator(".rows .line").first.wait_for()


async def _style(overlay: ScreenPage, name: str, selector: str = ".rows .line") -> Any:
    script = "([selector, name]) => getComputedStyle(document.querySelector(selector))[name]"
    return await overlay.run(script, [selector, name])


async def _box(overlay: ScreenPage, selector: str = ".rows .line") -> dict[str, float]:
    box = await overlay.page.locator(selector).first.bounding_box()
    assert box is not None
    return dict(box)


async def _alpha(overlay: ScreenPage, x: int, y: int) -> int:
    picture = Image.open(io.BytesIO(await overlay.page.screenshot(omit_background=True)))
    pixel: Any = picture.convert("RGBA").getpixel((x, y))
    return int(pixel[3])


async def test_everything_but_the_lines_is_transparent(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    await _open(journal, start_captions, overlay)
    for selector in ("html", "body", "main", "#stage", ".column", ".rows"):
        assert await _style(overlay, "backgroundColor", selector) == "rgba(0, 0, 0, 0)", selector
    box = await _box(overlay)
    assert await _alpha(overlay, 2, 2) == 0
    assert await _alpha(overlay, 1277, 717) == 0
    assert await _alpha(overlay, int(box["x"]) + 3, int(box["y"]) + 3) > 100
    assert overlay.record.problems == []


@pytest.mark.parametrize(
    ("query", "selector", "name", "expected"),
    [
        ("size=48", "#stage", "fontSize", "48px"),
        ("size=5vw", "#stage", "fontSize", "64px"),
        ("color=ffcc00", ".line", "color", "rgb(255, 204, 0)"),
        ("color=gold", ".line", "color", "rgb(255, 215, 0)"),
        ("background=rgba(10,20,30,0.5)", ".line", "backgroundColor", "rgba(10, 20, 30, 0.5)"),
        ("background=00000080", ".line", "backgroundColor", "rgba(0, 0, 0, 0.5)"),
        ("background=transparent", ".line", "backgroundColor", "rgba(0, 0, 0, 0)"),
        ("outline=4", ".line", "webkitTextStrokeWidth", "4px"),
        ("outline=4&outline_color=ff0000", ".line", "webkitTextStrokeColor", "rgb(255, 0, 0)"),
        ("font=Georgia,%20serif", ".line", "fontFamily", "Georgia, serif"),
        ("uppercase=1", ".line", "textTransform", "uppercase"),
        ("width=60%25", ".column", "width", "733.438px"),
        ("width=500", ".column", "width", "500px"),
    ],
)
async def test_the_look_is_as_the_address_says(
    query: str,
    selector: str,
    name: str,
    expected: str,
    journal: ScriptedJournal,
    start_captions: StartCaptions,
    overlay: ScreenPage,
) -> None:
    await _open(journal, start_captions, overlay, f"?{query}")
    assert await _style(overlay, name, selector) == expected
    assert overlay.record.problems == []


async def test_a_shadow_stands_behind_the_letters_when_it_is_wanted(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    await _open(journal, start_captions, overlay)
    assert await _style(overlay, "textShadow") == "none"
    await overlay.open("/overlay?shadow=1")
    await overlay.wait_text("Bienvenidos.")
    assert "rgba(0, 0, 0, 0.9)" in await _style(overlay, "textShadow")


async def test_lines_stand_where_the_address_says(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    await _open(journal, start_captions, overlay)
    query = "/overlay?width=50%25&margin=50px&lines=1"
    positions = {}
    for position in ("top-left", "middle", "bottom-right"):
        for align in ("left", "center", "right"):
            await overlay.open(f"{query}&position={position}&align={align}")
            await overlay.wait_text("Bienvenidos.")
            positions[position, align] = await _box(overlay)
    assert positions["top-left", "left"]["x"] == 50
    assert positions["top-left", "left"]["y"] == 50
    right = positions["bottom-right", "right"]
    assert right["x"] + right["width"] == pytest.approx(1230)
    assert right["y"] + right["height"] == pytest.approx(670)
    middle = positions["middle", "center"]
    assert middle["x"] + middle["width"] / 2 == pytest.approx(640)
    assert middle["y"] + middle["height"] / 2 == pytest.approx(360)
    assert positions["top-left", "left"]["x"] < positions["top-left", "center"]["x"]
    assert positions["top-left", "center"]["x"] < positions["top-left", "right"]["x"]


@pytest.mark.parametrize("lines", [1, 2, 4])
async def test_it_has_as_many_lines_as_it_was_given(
    lines: int, journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    journal.start_session()
    journal.say(1, "long", f"{_LONG} {_LONG} {_LONG}")
    await start_captions()
    await overlay.open(f"/overlay?lines={lines}&second=source&partials=1")
    await overlay.page.locator(".rows .line").first.wait_for()
    assert len(await overlay.lines()) == lines
    assert await overlay.overflows() == []


async def test_a_second_language_stands_below_the_first(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    await _open(journal, start_captions, overlay, "?language=es&second=en")
    assert (await overlay.text(0), await overlay.text(1)) == ("Bienvenidos.", "Welcome.")
    boxes = [await overlay.page.locator(".column").nth(n).bounding_box() for n in (0, 1)]
    assert boxes[0] is not None
    assert boxes[1] is not None
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]


async def test_partials_come_only_when_they_are_wanted(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    await _open(journal, start_captions, overlay, "?partials=1&clear_after=0")
    journal.live(translation=draft(2, 1, "La gracia"))
    await overlay.wait_draft("La gracia")
    assert await overlay.text() == "Bienvenidos."
    await overlay.open("/overlay?partials=0&clear_after=0")
    await overlay.wait_text("Bienvenidos.")
    journal.live(translation=draft(2, 2, "La gracia y"))
    journal.say(2, "Grace.", "La gracia y la paz.")
    await overlay.wait_text("Bienvenidos. La gracia y la paz.")
    assert not await overlay.page.locator(".draft").is_visible()


async def test_it_is_emptied_after_the_last_words(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    await _open(journal, start_captions, overlay, "?clear_after=1.5")
    await overlay.wait_text("")
    shown = await overlay.run("performance.now()")
    journal.say(2, "two", "dos")
    await overlay.wait_text("dos")
    await overlay.wait_text("")
    assert await overlay.run("performance.now()") - shown >= 1500


async def test_what_operators_do_reaches_the_stream(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    await _open(journal, start_captions, overlay, "?clear_after=0")
    journal.correct(1, "es", "Sean bienvenidos.")
    await overlay.wait_text("Sean bienvenidos.")
    screens = gateway.Screens(is_blank=True, announcement="Back at eleven.")
    journal.append("", screens=screens)
    await overlay.page.get_by_text("Back at eleven.").wait_for()
    assert not await overlay.page.locator(".rows .line").first.is_visible()
    await overlay.open("/overlay?announcements=0&clear_after=0")
    await settled(lambda: overlay.has_class("blank"), True)
    assert not await overlay.page.get_by_text("Back at eleven.").is_visible()
    journal.append("", screens=gateway.Screens())
    await overlay.page.locator(".rows .line").first.wait_for(state="visible")
    hidden = gateway.SegmentHidden(segment_id=1, is_hidden=True)
    journal.append("sunday", segment_hidden=hidden)
    await overlay.wait_text("")


async def test_it_comes_back_after_captions_was_killed(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await overlay.open("/overlay?clear_after=0")
    await overlay.wait_text("uno")
    captions.kill()
    journal.say(2, "two", "dos")
    captions.start()
    await captions.wait_ready()
    await overlay.wait_text("uno dos")


async def test_a_token_in_the_address_is_enough(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions(view_token=_VIEW_TOKEN)
    await overlay.open(f"/overlay?token={_VIEW_TOKEN}")
    await overlay.wait_text("uno")


async def test_a_named_service_is_shown_though_there_is_a_newer_one(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    journal.start_session("early")
    journal.say(1, "early", "temprano", session_id="early")
    journal.start_session("late")
    journal.say(1, "late", "tarde", session_id="late")
    await start_captions()
    await overlay.open("/overlay?session=early&clear_after=0")
    await overlay.wait_text("temprano")


async def test_wrong_values_are_told_and_not_obeyed(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    wrong = {
        "lines": "9",
        "size": "900px",
        "color": "url(x)",
        "background": "var(--color)",
        "outline": "-1",
        "outline_color": "blueish",
        "shadow": "perhaps",
        "font": "a;b",
        "position": "outside",
        "margin": "5miles",
        "width": "200%25",
        "align": "justify",
        "clear_after": "soon",
        "partials": "2",
        "uppercase": "no",
        "announcements": "-",
    }
    query = "&".join(f"{name}={value}" for name, value in wrong.items())
    await _open(journal, start_captions, overlay, f"?{query}")
    told = [problem.split("=")[0] for problem in overlay.record.problems]
    assert sorted(told) == sorted(wrong)
    assert await _style(overlay, "color") == "rgb(255, 255, 255)"
    assert await _style(overlay, "backgroundColor") == "rgba(0, 0, 0, 0.65)"


async def test_the_card_teaches_every_parameter_and_shows_what_it_does(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    journal.start_session()
    await start_captions()
    await overlay.open("/overlay?help=1&lines=9")
    await overlay.wait_text("Buenos días y bienvenidos.")
    card = overlay.page.get_by_role("region", name="Parameters")
    assert "lines=9 is not understood: it takes a whole number from 1 to 4" in (
        await card.inner_text()
    )
    names = await card.locator("code").all_inner_texts()
    assert len(names) == 20
    await card.locator("[name=lines]").fill("3")
    await card.locator("[name=color]").fill("ff0000")
    await settled(lambda: _style(overlay, "color"), "rgb(255, 0, 0)")
    address = await card.locator("output").inner_text()
    assert address == f"{overlay.url}/overlay?lines=3&color=ff0000"
    await card.locator("[name=size]").fill("enormous")
    assert "size takes 8px to 400px, or 0.5vw to 20vw" in await card.inner_text()
    results = await Axe().run(overlay.page)
    violations = results.response["violations"]
    assert [each["id"] for each in violations if each["impact"] in ("serious", "critical")] == []
    assert "/ws" not in "".join(overlay.record.urls)


async def test_the_code_that_a_browser_paints_is_the_one_of_the_link(
    journal: ScriptedJournal, start_captions: StartCaptions, overlay: ScreenPage
) -> None:
    captions = await start_captions()
    await overlay.open("/audience")
    picture = overlay.page.get_by_role("img", name="QR code")
    await picture.wait_for()
    await overlay.run("document.querySelector('#join-code').decode()")
    painted = Image.open(io.BytesIO(await picture.screenshot())).convert("L")
    code = segno.make(f"{captions.web}/", error="m", micro=False, boost_error=False)
    modules = [list(row) for row in code.matrix_iter(border=4)]
    step_x, step_y = painted.width / len(modules[0]), painted.height / len(modules)
    sampled = [
        [
            int(painted.getpixel((int((x + 0.5) * step_x), int((y + 0.5) * step_y))) < 128)  # type: ignore[operator]
            for x in range(len(modules[0]))
        ]
        for y in range(len(modules))
    ]
    assert sampled == modules
