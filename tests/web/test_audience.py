"""The page for a projector, with a real captions process, in a real browser."""

from __future__ import annotations

import functools
import random
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, final, partial, translated
from tests.web.browser import settled
from tests.web.screen_page import ScreenPage

_SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
_VIEW_TOKEN = "a-token-of-viewers-1"


@pytest.fixture
async def hall(chromium: Browser, base: int) -> AsyncIterator[ScreenPage]:
    """The audience page of the captions process on the ports of `base`; not opened yet."""
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-US")
    yield await ScreenPage.new(context, f"http://127.0.0.1:{port('captions_web', base)}")
    await context.close()


async def _open_live(
    journal: ScriptedJournal, start: StartCaptions, hall: ScreenPage, query: str = ""
) -> None:
    """A live session with one sentence, on the screen."""
    journal.start_session()
    journal.say(1, "Welcome.", "Bienvenidos.")
    await start()
    await hall.open(f"/audience{query}")
    await hall.wait_text("Bienvenidos." if "source" not in query else "Welcome.")


def _hide(journal: ScriptedJournal, segment_id: int, is_hidden: bool) -> None:
    hidden = gateway.SegmentHidden(segment_id=segment_id, is_hidden=is_hidden)
    journal.append("sunday", segment_hidden=hidden)


def _show(journal: ScriptedJournal, **screens: object) -> None:
    journal.append("", screens=gateway.Screens(**screens))


async def _last_line(hall: ScreenPage, column: int) -> str:
    return (await hall.lines(column))[-1]


async def test_a_draft_stays_below_and_dim_until_its_final_is_committed(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    journal.live(translation=draft(2, 1, "La gracia"))
    await hall.wait_draft("La gracia")
    assert await hall.text() == "Bienvenidos."
    colours = await hall.run(
        "['.line', '.draft'].map((name) => getComputedStyle(document.querySelector(name)).color)"
    )
    assert colours == ["rgb(255, 255, 255)", "rgb(180, 180, 180)"]
    journal.say(2, "Grace and peace.", "Gracia y paz.")
    await hall.wait_text("Bienvenidos. Gracia y paz.")
    assert await hall.draft() == ""
    assert hall.record.problems == []


async def test_a_language_that_the_session_does_not_have_is_named(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    await hall.open("/audience?language=fr")
    sign = hall.page.locator("#sign")
    await settled(sign.inner_text, "no captions in Français")
    await hall.open("/audience?language=es,source")
    await hall.wait_text("Bienvenidos.")
    assert await sign.is_hidden()


async def test_a_final_waits_until_the_line_before_could_be_read_and_drafts_wait_with_it(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session()
    await start_captions()
    await hall.open("/audience")
    await hall.wait_ready()
    begun = await hall.run("performance.now()")
    six = "uno dos tres cuatro cinco seis"
    journal.say(1, "one", six)
    journal.say(2, "two", "siete")
    journal.live(translation=draft(3, 1, "ocho"))
    await hall.wait_text(six)
    assert await hall.draft() == ""
    await hall.wait_text(f"{six} siete")
    assert await hall.run("performance.now()") - begun >= 6 * 60_000 / 180
    await hall.wait_draft("ocho")


async def test_a_correction_is_made_in_place_and_marked(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    journal.say(2, "Grace and peace.", "Gracia y pez.")
    await hall.wait_text("Bienvenidos. Gracia y pez.")
    await hall.watch_lines()
    journal.correct(2, "es", "Gracia y paz.")
    await hall.wait_text("Bienvenidos. Gracia y paz.")
    assert await hall.changed_lines() == [["Gracia y pez.", "Gracia y paz."]]
    assert await hall.page.locator(".line.corrected").all_inner_texts() == ["Gracia y paz."]


async def test_a_hidden_line_leaves_at_once_and_comes_back_without_moving_another(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    journal.say(2, "bread", "pan")
    await hall.wait_text("Bienvenidos. pan")
    first = hall.page.locator(".rows .line").first
    await hall.wait_still()
    place = await first.bounding_box()
    _hide(journal, 2, True)
    await hall.wait_text("Bienvenidos.")
    assert await first.bounding_box() == place
    assert "pan" not in await hall.page.locator("main").inner_html()
    _hide(journal, 2, False)
    await hall.wait_text("Bienvenidos. pan")
    assert await first.bounding_box() == place


async def test_a_reset_empties_the_screen_and_what_comes_after_it_is_shown(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    journal.live(translation=draft(2, 1, "a medias"))
    await hall.wait_draft("a medias")
    journal.append("sunday", session_reset=gateway.SessionReset(segment_id=1))
    await hall.wait_text("")
    assert await hall.draft() == ""
    journal.say(2, "two", "dos")
    await hall.wait_text("dos")
    await hall.page.reload()
    await hall.wait_text("dos")  # nor does a screen that joins later show what went


async def test_a_blank_screen_is_black_and_shows_the_announcement_alone(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall, "?theme=light")
    lines = hall.page.locator(".rows .line").first
    await hall.wait_still()
    place = await lines.bounding_box()
    _show(journal, announcement="Der Saal ist voll.", language="de")
    announcement = hall.page.get_by_text("Der Saal ist voll.")
    await announcement.wait_for()
    assert await announcement.get_attribute("lang") == "de"
    assert await lines.bounding_box() == place  # it moves no line
    _show(journal, is_blank=True, announcement="Der Saal ist voll.", language="de")
    await lines.wait_for(state="hidden")
    assert await announcement.is_visible()
    assert not await hall.page.get_by_role("img").is_visible()
    background = "getComputedStyle(document.body).backgroundColor"
    assert await hall.run(background) == "rgb(0, 0, 0)"
    _show(journal)
    await lines.wait_for(state="visible")
    assert not await announcement.is_visible()
    assert await hall.run(background) == "rgb(255, 255, 255)"


async def test_the_longest_announcement_is_shown_whole(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    _show(journal, announcement="Please move your car. " * 22)
    place = hall.page.locator("#announcement")
    await place.wait_for()
    await hall.page.get_by_role("img", name="QR code").wait_for()
    is_whole = "each => each.scrollHeight <= each.clientHeight + 1"
    await settled(lambda: place.evaluate(is_whole), True)
    await hall.page.set_viewport_size({"width": 900, "height": 800})
    await settled(lambda: place.evaluate(is_whole), True)


async def test_a_hold_is_a_quiet_sign_and_ends(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    journal.append("sunday", session_held=gateway.SessionHeld(is_held=True))
    sign = hall.page.locator("#sign")
    await settled(sign.inner_text, "❚❚ paused")
    assert await hall.text() == "Bienvenidos."
    journal.append("sunday", session_held=gateway.SessionHeld(is_held=False))
    await sign.wait_for(state="hidden")


async def test_committed_words_never_change_while_partials_and_finals_rain(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session()
    await start_captions()
    await hall.open("/audience?language=source,target")
    await hall.wait_ready()
    await journal.wait_followed()
    await hall.watch_lines()
    chance = random.Random(7)
    vocabulary = ["gracia", "paz", "y", "pan", "de", "la", "mesa", "larga"]
    segment_id, revision = 1, 0
    for _ in range(200):
        revision += 1
        known, unknown = chance.choices(vocabulary, k=2), chance.choices(vocabulary, k=4)
        words = " ".join([*known, *unknown])
        if revision > 3 and chance.random() < 0.1:
            journal.say(segment_id, "Grace and peace.", "Gracia y paz.")
            segment_id, revision = segment_id + 1, 0
        else:
            said = partial(segment_id, revision, " ".join(known), " ".join(unknown))
            journal.live(transcript=said)
            journal.live(translation=draft(segment_id, revision, words))
            if revision % 3 == 0:
                await hall.wait_draft(words, 0)  # now and then it has caught up
                await hall.wait_draft(words, 1)
        await hall.run("new Promise(requestAnimationFrame)")
    assert segment_id > 10
    journal.say(segment_id, "The end.", "El fin.")
    for column, last in enumerate(("The end.", "El fin.")):
        await settled(functools.partial(_last_line, hall, column), last)
    assert await hall.count_drafts() > 20
    assert await hall.changed_lines() == []
    assert await hall.page.locator("#stage *").count() < 30  # hours leave nothing behind
    assert [await hall.draft(0), await hall.draft(1)] == ["", ""]
    assert hall.record.problems == []


async def test_it_comes_back_after_captions_was_killed_and_loses_no_line(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await hall.open("/audience")
    await hall.wait_text("uno")
    captions.kill()
    await settled(hall.page.locator("#sign").inner_text, "⋯ connecting")
    assert await hall.text() == "uno"
    journal.say(2, "two", "dos")
    journal.say(3, "three", "tres")
    captions.start()
    await captions.wait_ready()
    await hall.wait_text("uno dos tres")
    await hall.page.locator("#sign").wait_for(state="hidden")


async def test_it_does_not_replay_a_long_outage(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await hall.open("/audience?lines=2")
    await hall.wait_text("uno")
    captions.kill()
    for number in range(2, 62):  # more than a minute's reading
        journal.say(number, f"sentence {number}", f"esta es la frase {number}")
    captions.start()
    await captions.wait_ready()
    await hall.wait_text("esta es la frase 60 esta es la frase 61")


async def test_after_the_service_the_way_in_comes_back(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await hall.page.clock.install()
    await _open_live(journal, start_captions, hall)
    journal.end_session()
    await settled(lambda: hall.run("document.body.dataset.state"), "ended")
    assert not await hall.has_class("waiting")
    await hall.page.clock.run_for(21_000)
    assert await hall.has_class("waiting")
    await hall.page.get_by_role("img", name="QR code").wait_for()


async def test_lines_roll_unless_less_motion_is_wanted(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    count_rolls = """() => {
      window.rolls = 0;
      const animate = Element.prototype.animate;
      Element.prototype.animate = function (...given) {
        window.rolls += 1;
        return animate.apply(this, given);
      };
    }"""
    await hall.run(count_rolls)
    journal.say(2, "two", "dos")
    await hall.wait_text("Bienvenidos. dos")
    assert await hall.run("window.rolls") == 1
    await hall.page.emulate_media(reduced_motion="reduce")
    journal.say(3, "three", "tres")
    await hall.wait_text("Bienvenidos. dos tres")
    assert await hall.run("window.rolls") == 1


async def test_what_is_not_committed_is_out_of_the_way_while_lines_roll(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    note_rolls = """() => {
      window.drafts = [];
      const animate = Element.prototype.animate;
      Element.prototype.animate = function (...given) {
        const rolled = animate.apply(this, given);
        const seen = () => getComputedStyle(document.querySelector(".draft")).visibility;
        window.drafts.push(seen());
        rolled.addEventListener("finish", () => setTimeout(() => window.drafts.push(seen())));
        return rolled;
      };
    }"""
    await hall.run(note_rolls)
    journal.say(2, "two", "dos")
    await hall.wait_text("Bienvenidos. dos")
    await settled(lambda: hall.run("window.drafts"), ["hidden", "visible"])


async def test_the_machine_is_kept_awake(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await hall.page.add_init_script(
        "window.asked = [];"
        "navigator.wakeLock.request = async (kind) => { window.asked.push(kind); throw 0; };"
    )
    await _open_live(journal, start_captions, hall)
    assert await hall.run("window.asked") == ["screen"]


async def test_a_late_screen_begins_with_the_newest_lines(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    journal.start_session()
    for number in range(1, 401):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await hall.open("/audience?lines=3")
    await hall.wait_text("frase 398 frase 399 frase 400")
    assert await hall.page.locator(".line").count() == 3
    journal.say(401, "sentence 401", "frase 401")
    await hall.wait_text("frase 399 frase 400 frase 401")


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


async def test_a_text_of_ten_thousand_characters_comes_line_by_line(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await _open_live(journal, start_captions, hall)
    words = [f"n{number}" for number in range(1700)]
    journal.say(2, "long", " ".join(words))

    async def has_two_lines() -> bool:
        return len(await hall.lines()) == 3

    await settled(has_two_lines, True)
    shown = " ".join((await hall.lines())[1:]).split()
    assert shown == words[: len(shown)]


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
    await _open_live(journal, start_captions, hall)
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
    await _open_live(journal, start_captions, hall, "?lines=99&size=huge&theme=pink")
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
    await _open_live(journal, start_captions, hall, f"?language=source,target&theme={theme}")
    _show(journal, announcement="Please move your car.")
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
