"""The reader's language: which one, how it is written, what is asked for."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, final, partial, translated
from tests.web.browser import settled
from tests.web.phone_page import PhonePage

_TEXTS = {"es": "uno", "fr": "un", "ar": "واحد", "he": "אחד"}
_BUSY = """setTimeout(() => {
  const until = performance.now() + 2000;
  while (performance.now() < until);
})"""


def _speak(journal: ScriptedJournal) -> None:
    journal.start_session(targets=tuple(_TEXTS))
    journal.append("sunday", transcript=final(1, "one"))
    for language, text in _TEXTS.items():
        journal.append("sunday", translation=translated(1, text, language))


async def test_every_language_is_offered_by_its_own_name_and_comes_alone(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    frames: list[str] = []

    def note(frame: str | bytes) -> None:
        frames.append(str(frame))

    page.page.on("websocket", lambda socket: socket.on("framereceived", note))
    _speak(journal)
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    options = await page.language.locator("option").all_inner_texts()
    assert options == ["Español", "Français", "العربية", "עברית", "English"]
    assert _TEXTS["fr"] not in _texts(frames)
    for name, text in (("Français", "un"), ("עברית", "אחד"), ("Español", "uno")):
        frames.clear()
        await page.language.select_option(name)
        await page.wait_lines("target", [text])
        assert await page.lines("source") == ["one"]
        assert set(_texts(frames)) == {"one", text}
    journal.append("sunday", translation=translated(2, "dos", "es"))
    journal.append("sunday", translation=translated(2, "deux", "fr"))
    await page.wait_lines("target", ["uno", "dos"])
    assert page.record.problems == []


async def test_a_reader_who_came_early_is_sent_no_other_language_either(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    frames: list[str] = []

    def note(frame: str | bytes) -> None:
        frames.append(str(frame))

    page.page.on("websocket", lambda socket: socket.on("framereceived", note))
    await start_captions()
    await page.open("?language=fr")
    await page.wait_status("waiting for a service")
    await page.run(_BUSY)  # all was said before the page can say what it wants of this session
    _speak(journal)
    await page.wait_lines("target", ["un"])
    assert set(_texts(frames)) == {"one", "un"}


def _texts(frames: list[str]) -> list[str]:
    marker = '"stable_text":"'
    return [frame.split(marker)[1].split('"')[0] for frame in frames if marker in frame]


@pytest.mark.parametrize("language", ["ar", "he"])
async def test_a_language_that_runs_from_right_to_left_does_so(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage, language: str
) -> None:
    _speak(journal)
    await start_captions()
    await page.open(f"?language={language}")
    await page.wait_lines("target", [_TEXTS[language]])
    journal.live(translation=draft(2, 1, _TEXTS[language], language))
    await page.wait_lines("target", [_TEXTS[language]] * 2)
    directions = (
        "['#captions', '.source', '.target'].map((each) => document.querySelector(each).dir)"
    )
    assert await page.run(directions) == ["rtl", "ltr", "rtl"]
    edges = """selector => {
      const range = document.createRange();
      range.selectNodeContents(document.querySelector(selector));
      const text = range.getBoundingClientRect();
      const line = document.querySelector(selector).getBoundingClientRect();
      return [Math.round(text.left - line.left), Math.round(line.right - text.right)];
    }"""
    left, right = await page.run(edges, ".target")
    assert (left > 100, right) == (True, 0)
    assert await page.run(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    assert page.record.problems == []


@pytest.mark.parametrize(
    ("locale", "expected"), [("fr-CA", "un"), ("he-IL", "אחד"), ("en-US", "uno"), ("de-DE", "uno")]
)
async def test_the_browser_says_which_language_a_new_reader_wants(
    chromium: Browser,
    base: int,
    journal: ScriptedJournal,
    start_captions: StartCaptions,
    locale: str,
    expected: str,
) -> None:
    _speak(journal)
    await start_captions()
    context = await chromium.new_context(locale=locale)
    page = await PhonePage.new(context, f"http://127.0.0.1:{port('captions_web', base)}")
    await page.open()
    await page.wait_lines("target", [expected])
    await context.close()


async def test_choices_are_remembered_by_the_browser(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    _speak(journal)
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    await page.language.select_option("Français")
    await page.choose("Translation")
    await page.choose("Light")
    await page.wait_lines("source", [])
    await page.wait_lines("target", ["un"])
    await page.open()
    await page.wait_lines("target", ["un"])
    assert await page.lines("source") == []
    assert await page.run("document.documentElement.dataset.theme") == "light"
    assert "language=fr&" in page.record.urls[-1]


async def test_words_are_joined_as_their_language_does(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session(targets=("zh",))
    await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.live(transcript=partial(1, 1, "grace", "and"))
    chinese = draft(1, 1, "恩典", "zh")
    journal.live(translation=chinese)
    await page.wait_lines("source", ["grace and"])
    await page.wait_lines("target", ["恩典"])
    # Only a recogniser gives text in two parts; the page joins them by the language of the text.
    joined = """async () => {
      const { fillCaption } = await import("/shared/dom.js");
      const line = document.createElement("p");
      const caption = { is_final: false, stable_text: "恩典", unstable_text: "和平" };
      fillCaption(line, { ...caption, language: "zh-Hant" });
      const chinese = line.textContent;
      fillCaption(line, { ...caption, language: "ko" });
      return [chinese, line.textContent];
    }"""
    assert await page.run(joined) == ["恩典和平", "恩典 和平"]


async def test_tags_are_matched_named_and_directed(
    page: PhonePage, start_captions: StartCaptions
) -> None:
    await start_captions()
    await page.open()
    answers = """async () => {
      const { closest, direction, languageName, matches } = await import("/shared/languages.js");
      return {
        closest: [
          closest(["es", "pt-BR"], ["pt-PT"]), closest(["es-MX"], ["es"]),
          closest(["zh-Hant"], ["zh-TW"]), closest(["es"], ["de", "ES-ar"]),
          closest(["es"], ["de"]), closest([], ["de"]),
        ],
        directions: ["ar", "he-IL", "fa", "az-Arab", "ar-Latn", "es", "pa", "ckb", "x"]
          .map(direction),
        names: ["es", "x-klingon", "de-CH"].map(languageName),
        matches: [matches("es-MX", "es"), matches("es", "es-MX"), matches("est", "es")],
      };
    }"""
    assert await page.run(answers) == {
        "closest": ["pt-BR", "es-MX", "zh-Hant", "es", "", ""],
        "directions": ["rtl", "rtl", "rtl", "rtl", "ltr", "ltr", "ltr", "rtl", "ltr"],
        "names": ["Español", "X-klingon", "Schweizer Hochdeutsch"],
        "matches": [True, False, False],
    }


async def test_a_session_without_a_translation_shows_the_original_large(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session(targets=())
    journal.append("sunday", transcript=final(1, "one"))
    await start_captions()
    await page.open()
    await page.wait_lines("source", ["one"])
    size = "parseFloat(getComputedStyle(document.querySelector('.source')).fontSize)"
    assert await page.run(size) >= 20
    await page.open_sheet()
    assert await page.page.get_by_text("Original and translation").is_hidden()
    await page.close_sheet()
    journal.append("sunday", transcript=final(2, "two"))
    await settled(page.announced, ["two"])


async def test_a_language_that_nobody_could_have_thought_of_is_one_like_any_other(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    strange = ("constructor", "__proto__", "toString")
    journal.start_session(targets=strange)
    journal.append("sunday", transcript=final(1, "one"))
    for language in strange:
        journal.append("sunday", translation=translated(1, f"in {language}", language))
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["in constructor"])
    options = await page.language.locator("option").all_inner_texts()
    assert options == ["Constructor", "__proto__", "ToString", "English"]
    await page.language.select_option("__proto__")
    await page.wait_lines("target", ["in __proto__"])
    assert page.record.problems == []
