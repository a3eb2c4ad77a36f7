"""Three translations at once on every page; the models follow a rule, all else is real."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.readers import DESK, PHONE, SCREEN, Reader
from tests.gateway.peers import Mt, sentence
from tests.web.browser import browser, require_chromium
from tests.web.desk_page import DeskPage
from tests.web.desk_stack import DeskStack, Speaker

LANGUAGES = ("es", "ar", "fr")


@pytest.mark.timeout(120)
async def test_three_translations_come_at_once_on_every_page_and_are_corrected_one_by_one(
    tmp_path: Path,
) -> None:
    require_chromium()
    stack = DeskStack(tmp_path, mt=Mt())
    await stack.start()
    try:
        async with browser() as chromium:
            base = stack.url
            phones = {
                language: await Reader.open(chromium, f"{base}/?language={language}", PHONE)
                for language in LANGUAGES
            }
            hall = await Reader.open(
                chromium, f"{base}/audience?language=source,es,ar,fr", SCREEN, is_rolling=True
            )
            stream = await Reader.open(
                chromium, f"{base}/overlay?second=ar&clear_after=0", SCREEN, is_rolling=True
            )
            desk = await Reader.open(chromium, f"{base}/operator", DESK)
            comparison = await Reader.open(chromium, f"{base}/compare", DESK)
            speaker = await Speaker(stack).open(target_languages=LANGUAGES)
            await speaker.say(1, 2)

            for language in LANGUAGES:
                lines = {number: f"[{language}] {sentence(number)}" for number in (1, 2)}
                readers = [phones[language], hall, desk, comparison]
                for reader in [*readers, *([] if language == "fr" else [stream])]:
                    await reader.wait_finals(language, lines)
            for reader in (hall, desk, comparison):
                await reader.wait_finals("en", {number: sentence(number) for number in (1, 2)})
            sent = {each["language"] for each in phones["ar"].captions()}
            assert sent == {"en", "ar"}, "a phone was sent a language that it does not show"

            await DeskPage(desk.page, base).correct(2, "ar", "قيلت الجملة الثانية")
            for reader in (phones["ar"], hall, stream, comparison):
                await reader.wait_standing("ar", "قيلت الجملة الثانية", is_there=True)
            assert await phones["es"].standing_text("es") == "[es] Sentence 1 was said [es] " + (
                "Sentence 2 was said"
            )
            rows = hall.page.locator(".rows[lang=ar]")
            assert await rows.get_attribute("dir") == "rtl"
            everybody = [*phones.values(), hall, stream, desk, comparison]
            assert [each.record.problems for each in everybody] == [[]] * len(everybody)
    finally:
        await stack.stop()
