"""How the projector's page stands on a screen: its languages, sizes, keys, address and way in."""

from __future__ import annotations

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, final, translated
from tests.web.audience_fixtures import open_live, show
from tests.web.browser import settled
from tests.web.screen_page import ScreenPage

_SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
_VIEW_TOKEN = "a-token-of-viewers-1"


async def test_a_language_that_the_session_does_not_have_is_named(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall)
    await hall.open("/audience?language=fr")
    sign = hall.page.locator("#sign")
    await settled(sign.inner_text, "no captions in Français")
    await hall.open("/audience?language=es,source")
    await hall.wait_text("Bienvenidos.")
    assert await sign.is_hidden()


async def test_after_the_service_the_way_in_comes_back(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await hall.page.clock.install()
    await open_live(journal, start_captions, hall)
    journal.end_session()
    await settled(lambda: hall.run("document.body.dataset.state"), "ended")
    assert not await hall.has_class("waiting")
    await hall.page.clock.run_for(21_000)
    assert await hall.has_class("waiting")
    await hall.page.get_by_role("img", name="QR code").wait_for()


async def test_the_machine_is_kept_awake(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await hall.page.add_init_script(
        "window.asked = [];"
        "navigator.wakeLock.request = async (kind) => { window.asked.push(kind); throw 0; };"
    )
    await open_live(journal, start_captions, hall)
    assert await hall.run("window.asked") == ["screen"]


async def test_three_languages_stand_side_by_side_each_in_its_direction(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session(targets=("es", "ar"))
    journal.append("sunday", transcript=final(1, "Grace and peace."))
    journal.append("sunday", translation=translated(1, "Gracia y paz.", "es"))
    journal.append("sunday", translation=translated(1, "نعمة وسلام.", "ar"))
    await start_captions()
    await hall.open("/audience?language=source,es,ar")
    for column, expected in enumerate(("Grace and peace.", "Gracia y paz.", "نعمة وسلام.")):
        await hall.wait_text(expected, column)
    columns = await hall.page.locator(".rows").evaluate_all(
        "all => all.map((each) => [each.lang, each.dir, each.getBoundingClientRect().left])"
    )
    assert [(lang, direction) for lang, direction, _ in columns] == [
        ("en", "ltr"),
        ("es", "ltr"),
        ("ar", "rtl"),
    ]
    assert [left for *_, left in columns] == sorted(left for *_, left in columns)
    assert await hall.overflows() == []


@pytest.mark.parametrize("size", [(1280, 800), (3840, 2160), (1024, 768)])
async def test_lines_fit_every_screen_whatever_is_said(
    size: tuple[int, int],
    journal: ScriptedJournal,
    start_captions: StartCaptions,
    hall: ScreenPage,
) -> None:
    await hall.page.set_viewport_size({"width": size[0], "height": size[1]})
    journal.start_session(targets=("es", "zh"))
    hostile = (
        "palabra " * 1250,  # 10,000 characters
        "x" * 3000,
        "👩‍👩‍👧‍👦🎉" * 40,
        "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤a̴̵̜̰l͍̞g̰o̢ " * 30,
        _SCRIPT,
        "\u202eright to left\u202c and\u2028a line\tfeed",
    )
    for number, text in enumerate(hostile, start=1):
        journal.append("sunday", transcript=final(number, text))
        journal.append("sunday", translation=translated(number, text, "es"))
        journal.append("sunday", translation=translated(number, "神爱世人" * 60, "zh"))
    await start_captions()
    for query in ("?language=es", "?language=source,zh", "?size=9&language=zh,es,en"):
        await hall.open(f"/audience{query}")
        await hall.page.locator(".rows .line").first.wait_for()
        assert await hall.overflows() == []
        painted = await hall.page.locator(".column").evaluate_all(
            "all => all.map((each) => each.querySelectorAll('.line').length)"
        )
        assert all(1 <= count <= 6 for count in painted)
    assert await hall.page.locator("#stage script, #stage img").count() == 0
    assert "owned" not in await hall.page.title()
    assert hall.record.problems == []


async def test_between_services_the_way_in_is_large_and_words_take_its_place(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    captions = await start_captions()
    await hall.open("/audience")
    picture = hall.page.get_by_role("img", name="QR code")
    await picture.wait_for()
    assert await hall.has_class("waiting")
    await settled(hall.page.locator("#join-url").inner_text, f"{captions.web}/")
    large = await picture.bounding_box()
    journal.start_session(title="Harvest")
    await hall.page.get_by_role("heading", name="Harvest").wait_for()
    journal.say(1, "one", "uno")
    await hall.wait_text("uno")
    assert not await hall.has_class("waiting")
    small = await picture.bounding_box()
    assert large is not None
    assert small is not None
    assert large["width"] > 2 * small["width"]
    await hall.page.keyboard.press("q")
    await picture.wait_for(state="hidden")
    assert "qr=0" in hall.page.url


async def test_keys_change_what_is_shown_and_the_address_remembers_it(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall)
    settings = hall.page.get_by_role("form", name="Settings")
    assert not await settings.is_visible()
    await hall.page.keyboard.press("o")
    await hall.wait_text("Welcome.", 0)
    await hall.wait_text("Bienvenidos.", 1)
    assert await settings.is_visible()
    size = "getComputedStyle(document.getElementById('stage')).fontSize"
    before = float((await hall.run(size)).removesuffix("px"))
    await hall.page.keyboard.press("+")
    await hall.page.keyboard.press("t")
    await hall.page.keyboard.press("ArrowUp")
    await hall.page.keyboard.press("f")
    await settled(lambda: hall.run("Boolean(document.fullscreenElement)"), True)
    assert float((await hall.run(size)).removesuffix("px")) > before
    assert hall.page.url.endswith("?language=source%2Ctarget&size=3.0&theme=light&lines=7")
    await hall.page.reload()
    await hall.wait_text("Bienvenidos.", 1)
    assert await hall.run("document.documentElement.dataset.theme") == "light"
    await hall.page.mouse.move(30, 30)
    await settings.wait_for()
    assert "live, nothing waits" in await settings.inner_text()
    await hall.page.select_option("#beside", "")
    await settled(lambda: hall.page.locator(".column").count(), 1)
    await settings.wait_for(state="hidden")  # by itself
    assert await hall.run("getComputedStyle(document.body).cursor") == "none"


async def test_wrong_parameters_are_told_and_not_obeyed(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall, "?lines=99&size=huge&theme=pink")
    assert [problem.split(" is not")[0] for problem in hall.record.problems] == [
        "size=huge",
        "lines=99",
        "theme=pink",
    ]
    assert await hall.run("document.documentElement.dataset.theme") == "dark"


async def test_painted_lines_stay_broken_as_they_are_when_the_window_grows(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session()
    journal.say(1, "long", "una mesa se hace más larga cuando alguien acerca otra silla a ella")
    await start_captions()
    await hall.open("/audience")
    await hall.page.locator(".rows .line").nth(1).wait_for()
    before = await hall.lines()
    await hall.page.set_viewport_size({"width": 2560, "height": 1600})
    assert await hall.lines() == before
    assert await hall.overflows() == []


async def test_with_a_token_it_asks_for_it_and_the_link_that_holds_it_opens_it(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions(view_token=_VIEW_TOKEN)
    await hall.open("/audience")
    await hall.page.get_by_label("Token").wait_for()
    await hall.open(f"/audience?again=1#token={_VIEW_TOKEN}")
    await hall.wait_text("uno")
    assert _VIEW_TOKEN not in hall.page.url


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_nothing_keeps_anybody_out(
    theme: str, journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall, f"?language=source,target&theme={theme}")
    show(journal, announcement="Please move your car.")
    journal.live(translation=draft(2, 1, "La gracia"))
    await hall.wait_draft("La gracia", 1)
    await hall.page.mouse.move(40, 40)
    await hall.page.get_by_role("form", name="Settings").wait_for()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag2aaa", "wcag21aa", "best-practice"]}
    results = await Axe().run(hall.page, options=rules)
    serious = [
        (each["id"], [node["target"] for node in each["nodes"]])
        for each in results.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert serious == []
