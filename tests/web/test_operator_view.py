"""What operators see at their desk, in a real browser, over a real gateway and captions."""

from __future__ import annotations

import asyncio
import re

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from tests.web.browser import settled
from tests.web.desk_fixtures import NewDesk, StartDesk, open_phone
from tests.web.desk_stack import Speaker

_SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


async def test_quality_has_words_and_a_shape_beside_its_colour(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1, 2, 3, 4, 5)
    desk = await new_desk(stack)
    await stack.events_of(speaker.session_id, "pair_scored", 5)
    chips = desk.page.locator('[data-language="es"] > .figures .chip:first-child')
    await settled(
        chips.all_inner_texts,
        ["● good 0.91", "▲ doubtful 0.61", "■ poor 0.32", "▲ doubtful 0.93", "○ not measured"],
    )
    await expect(desk.cell(4, "es")).to_contain_text("a “not” was lost or won")
    await expect(desk.page.locator('[data-stage="translation:es"]')).to_contain_text("Español")
    levels = await chips.evaluate_all("chips => chips.map((each) => each.dataset.level)")
    assert levels == ["good", "doubtful", "poor", "doubtful", "none"]


async def test_rules_alone_find_faults_and_praise_nothing(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    desk = await new_desk(await start_desk())

    async def label(rules: float, **others: float) -> str:
        values = {"heuristic_quality": rules, **others}
        signals = [{"name": name, "value": value, "model": ""} for name, value in values.items()]
        text: str = await desk.page.evaluate(
            "async (signals) => {"
            "  const { quality } = await import('/operator/quality.js');"
            "  const { shape, label } = quality(signals);"
            "  return `${shape} ${label}`;"
            "}",
            signals,
        )
        return text

    assert await label(1.0) == "○ rules found no fault"
    assert await label(0.6) == "▲ doubtful 0.60"
    assert await label(1.0, negation_parity=0.0) == "▲ doubtful 1.00"
    assert await label(1.0, translation_qe=0.9) == "● good 0.90"


async def test_both_runtimes_stand_side_by_side_with_their_percentiles(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(*range(1, 11))
    desk = await new_desk(stack)
    translations = await stack.events_of(speaker.session_id, "translation", 10)
    others = await stack.events_of(speaker.session_id, "alternative_translation", 10)
    for runtime, times_ms in {
        "A": sorted(each.translation.engine_ms for each in translations),
        "B": sorted(each.alternative_translation.engine_ms for each in others),
    }.items():
        line = desk.page.locator(f'#timings [data-runtime="{runtime}"]')
        await expect(line).to_contain_text("(10)")
        # Nearest rank: the 5th and the 10th of ten.
        await expect(line.locator(".p50")).to_have_text(f"{times_ms[4] / 1000:.2f} s")
        await expect(line.locator(".p95")).to_have_text(f"{times_ms[9] / 1000:.2f} s")
    other = desk.cell(3, "es").locator(".alternative")
    await expect(other).to_contain_text("Una frase 3 fue dicha")
    await expect(desk.text(3, "es")).to_have_text("La frase 3 fue dicha")


async def test_the_level_lag_engines_and_viewers_are_shown_in_words(
    start_desk: StartDesk, new_desk: NewDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    desk = await new_desk(stack)
    phone = await open_phone(chromium, stack)
    level = desk.page.get_by_role("meter", name="Level")

    async def keep_speaking() -> None:
        while True:
            await speaker.say(900)
            await asyncio.sleep(0.2)

    speaking = asyncio.create_task(keep_speaking())
    await expect(level).to_have_attribute("aria-valuetext", re.compile(r"dBFS, peak .*: silence$"))
    await expect(desk.page.locator("#viewers")).to_contain_text("1 in browsers")
    await expect(desk.page.locator('[data-stage="transcript"]')).to_contain_text("Original")
    speaking.cancel()
    for name in ("stt", "mt", "qe", "mt_alternative"):
        engine = desk.page.locator(f'[data-engine="{name}"]')
        await expect(engine).to_contain_text("works")
    trouble = desk.page.locator("#trouble")
    await expect(trouble).to_be_hidden()
    await stack.stop_peer("mt")
    await expect(trouble).to_contain_text("Translation does not answer")
    await expect(trouble).to_be_in_viewport()
    engine = desk.page.locator('[data-engine="mt"]')
    await expect(engine).to_contain_text("Translation does not answer")
    await expect(engine).to_contain_text("Screens show the original until it is back")
    assert await engine.get_attribute("data-level") == "poor"
    speaker.leave()
    await expect(desk.page.locator("#speaker")).to_contain_text("Nobody speaks into it now")
    await phone.close()
    await expect(desk.page.locator("#viewers")).to_have_text("nobody")


async def test_before_the_first_session_the_desk_is_connected_and_says_that_there_is_none(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    desk = await new_desk(stack)
    await expect(desk.connection).to_have_text("connected")
    await expect(desk.state).to_have_text("no session")
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    await expect(desk.state).to_have_text("live")


async def test_hostile_text_stays_text(start_desk: StartDesk, new_desk: NewDesk) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open(title=_SCRIPT)
    await speaker.say(1, 2)
    desk = await new_desk(stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha", "La frase 2 fue dicha"])
    long_word = "W" * 1_900
    for segment_id, text in ((1, _SCRIPT), (2, f"مرحبا 🙂 {long_word}")):
        await desk.page.get_by_label("Your name").fill(_SCRIPT)
        await desk.correct(segment_id, "es", text)
    await desk.wait_texts("es", [_SCRIPT, f"مرحبا 🙂 {long_word}"])
    await desk.page.get_by_label("Announcement", exact=True).fill(_SCRIPT)
    await desk.page.get_by_role("button", name="Show it").click()
    await expect(desk.page.locator("#announced")).to_contain_text(_SCRIPT)
    assert await desk.page.title() == f"{_SCRIPT} · Glossa"
    assert await desk.page.locator("main script, main img").count() == 0
    assert not await desk.page.evaluate(_OVERFLOWS)
    await desk.page.goto(f"{stack.url}/compare")
    await expect(desk.page.locator('[data-segment="1"] [data-column="es"]')).to_contain_text(
        _SCRIPT
    )
    assert await desk.page.locator("main script, main img").count() == 0
    assert desk.record.problems == []


_OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/operator", "/compare"])
async def test_the_pages_fit_every_screen_and_are_accessible(
    start_desk: StartDesk, new_desk: NewDesk, path: str, scheme: str
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open(title="Harvest", target_languages=["es", "ar"])
    await speaker.say(1, 2, 3, 4, 5)
    await stack.events_of(speaker.session_id, "pair_scored", 10)
    desk = await new_desk(stack)
    await desk.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await desk.page.goto(stack.url + path)
    line = desk.page.locator('[data-segment="4"]')
    await expect(line).to_contain_text("Una frase 4 fue dicha")
    if path == "/operator":
        await desk.page.get_by_role("button", name="Hide the line").first.click()
        await desk.expect_outcome("The line is hidden from all screens.")
        await desk.text(2, "es").click()
    for width, height in ((360, 740), (820, 1180), (1400, 900), (3840, 2160)):
        await desk.page.set_viewport_size({"width": width, "height": height})
        assert not await desk.page.evaluate(_OVERFLOWS), width
        results = await Axe().run(desk.page)
        faults = [
            (fault["id"], fault["nodes"][0]["html"][:200])
            for fault in results.response["violations"]
        ]
        assert faults == [], width


async def test_everything_is_reached_with_the_keyboard(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk()
    speaker = await Speaker(stack).open()
    await speaker.say(1)
    desk = await new_desk(stack)
    await desk.wait_texts("es", ["La frase 1 fue dicha"])
    names: list[str] = []
    await desk.page.locator("body").press("Tab")
    while (name := await desk.page.evaluate(_FOCUSED)) not in names:
        names.append(name)
        await desk.page.keyboard.press("Tab")
    for wanted in ("La frase 1 fue dicha", "Hide", "Hold", "Reset the buffer", "End the session"):
        assert wanted in names
    await desk.text(1, "es").focus()
    await desk.page.keyboard.press("Enter")
    await desk.page.keyboard.press("Control+A")
    await desk.page.keyboard.type("Con el teclado")
    await desk.page.keyboard.press("Enter")
    await desk.wait_texts("es", ["Con el teclado"])
    await expect(desk.text(1, "es")).to_be_focused()


_FOCUSED = "document.activeElement.innerText || document.activeElement.id"


async def test_a_session_that_soon_is_too_long_is_told_at_the_top(
    start_desk: StartDesk, new_desk: NewDesk
) -> None:
    stack = await start_desk(session_limit_s=0.71)  # a sentence is 0.7 s long
    speaker = await Speaker(stack).open(title="Vigil")
    desk = await new_desk(stack)
    trouble = desk.page.locator("#trouble")
    await expect(trouble).to_be_hidden()
    await speaker.say(1)
    await expect(trouble).to_have_text(
        re.compile("^Vigil ends within 1 min, when it is .* h long: ")
    )
    await expect(trouble).to_be_in_viewport()
