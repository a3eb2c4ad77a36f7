"""Texts of every kind, however long, and hours of them."""

from __future__ import annotations

import statistics

from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, partial
from tests.web.browser import settled
from tests.web.phone_page import PhonePage

_FAMILY = "👨‍👩‍👧‍👦 🏳️‍🌈 👍🏿 🇪🇸"
_OVERRIDES = "\u202edesrever\u202c \u2067isolated\u2069 \u200fmark\u200f \u202eunclosed"
_HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "</p></article><style>*{display:none}</style>",
    "javascript:alert(1)",
    "&lt;b&gt; &#x3C;i&#x3E; ]]> ${document.title='owned'} {{1+1}}",
    "\u2028\u2029 line separators \ufeff\u0007",
)
_IS_TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


async def test_hostile_texts_are_shown_as_text(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session(title=_HOSTILE[0])
    for number, text in enumerate(_HOSTILE, start=1):
        journal.say(number, text, text)
    await start_captions()
    await page.open()
    shown = ".segment .target"
    texts = f"[...document.querySelectorAll('{shown}')].map((each) => each.textContent)"
    await settled(lambda: page.run(texts), list(_HOSTILE))
    await settled(page.page.title, f"{_HOSTILE[0]} · Glossa")
    strange = "main script, main img, main style, main b, main i, #announcer img"
    assert await page.page.locator(strange).count() == 0
    journal.say(90, _HOSTILE[1], _HOSTILE[1])
    await settled(page.announced, [_HOSTILE[1]])
    await page.open_sheet()
    await settled(page.page.locator("#session option").count, 2)
    assert await page.page.title() == f"{_HOSTILE[0]} · Glossa"
    assert page.record.problems == []


async def test_overrides_of_direction_stay_in_their_line(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session(title=_OVERRIDES)
    journal.say(1, _OVERRIDES, _OVERRIDES)
    journal.say(2, "plain words", "palabras llanas")
    await start_captions()
    await page.open()
    await page.wait_lines("target", [_OVERRIDES, "palabras llanas"])
    offsets = """() => {
      const text = document.querySelectorAll(".target")[1].querySelector("span").firstChild;
      const left = (index) => {
        const range = document.createRange();
        range.setStart(text, index);
        range.setEnd(text, index + 1);
        return range.getBoundingClientRect().left;
      };
      return left(0) < left(5);
    }"""
    assert await page.run(offsets)


async def test_emoji_and_surrogates_arrive_whole(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.live(transcript=partial(1, 1, _FAMILY, "𝄞"))
    await page.wait_lines("source", [f"{_FAMILY} 𝄞"])
    journal.say(1, _FAMILY, f"{_FAMILY} 𠜎")
    await page.wait_lines("target", [f"{_FAMILY} 𠜎"])
    assert await page.announced() == [f"{_FAMILY} 𠜎"]


async def test_a_line_of_ten_thousand_characters_stays_on_the_page(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await page.page.set_viewport_size({"width": 360, "height": 640})
    journal.start_session(title="W" * 300)
    journal.say(1, "word " * 2000, "W" * 10_000)
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["W" * 10_000])
    assert not await page.run(_IS_TOO_WIDE)
    widest = "document.querySelector('#scroller').scrollWidth"
    assert await page.run(widest) == await page.run(
        "document.querySelector('#scroller').clientWidth"
    )
    await page.wait_at_end()


async def test_hours_of_lines_leave_the_page_light_and_stay_in_reach(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    for number in range(1, 701):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await page.open()
    await page.wait_lines("target", [f"frase {number}" for number in range(401, 701)])
    await page.wait_at_end()
    earlier = page.page.get_by_role("button", name="Earlier lines")
    top_line = page.page.get_by_text("frase 401", exact=True)
    await earlier.scroll_into_view_if_needed()
    before = await top_line.bounding_box()
    await earlier.click()
    await page.wait_lines("target", [f"frase {number}" for number in range(101, 701)])
    after = await top_line.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2  # what is read stays where it is
    await earlier.click()
    await page.wait_lines("target", [f"frase {number}" for number in range(1, 701)])
    assert await earlier.is_hidden()
    await page.to_live.click()
    journal.say(701, "sentence 701", "frase 701")
    await page.wait_lines("target", [f"frase {number}" for number in range(402, 702)])
    for number in range(702, 760):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await settled(lambda: page.page.locator(".target").last.inner_text(), "frase 759")
    assert await page.page.locator(".segment").count() <= 350
    await page.wait_at_end()


async def test_a_reader_who_went_back_keeps_the_place_whatever_changes_above(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    for number in range(1, 61):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await page.open()
    await page.wait_lines("target", [f"frase {number}" for number in range(1, 61)])
    await page.wait_at_end()
    read = page.page.get_by_text("frase 30", exact=True)
    await read.evaluate("line => line.scrollIntoView()")
    await settled(page.to_live.is_visible, True)
    before = await read.bounding_box()
    journal.correct(2, "es", "una frase corregida que es mucho más larga que antes " * 8)
    journal.live(transcript=partial(61, 1, "one", "more"))
    await settled(lambda: page.page.locator(".corrected").count(), 1)
    after = await read.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(before["y"] - after["y"]) < 2


async def test_the_sentence_that_is_being_said_does_not_move_what_is_read(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    for number in range(1, 21):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await page.open()
    await page.wait_status("live")
    words = "Una mesa se hace más larga cuando alguien acerca una silla".split()  # noqa: SIM905
    journal.live(transcript=partial(21, 1, "", "a table"))
    await settled(lambda: page.page.locator(".source").last.inner_text(), "a table")
    read = page.page.get_by_text("frase 20", exact=True)
    await page.wait_at_end()
    tops = set()
    for count in range(1, len(words) + 1):
        text = " ".join(words[:count])
        journal.live(translation=draft(21, count, text))
        await settled(lambda: page.page.locator(".target").last.inner_text(), text)
        box = await read.bounding_box()
        assert box is not None
        tops.add(round(box["y"]))
    assert len(tops) == 1


async def test_a_caption_is_painted_within_100_ms_of_its_receipt(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    for number in range(1, 301):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await page.open()
    await page.wait_status("live")
    await page.run(
        """() => {
          window.paints = [];
          const note = (list) => paints.push(...list.getEntries().map((each) => each.duration));
          new PerformanceObserver(note).observe({ entryTypes: ["measure"] });
        }"""
    )
    for number in range(301, 351):
        for revision in range(1, 4):
            text = " ".join(["palabra"] * revision)
            journal.live(translation=draft(number, revision, f"{text} {number}"))
            await settled(
                lambda: page.page.locator(".target").last.inner_text(), f"{text} {number}"
            )
        journal.say(number, f"sentence {number}", f"frase {number}")
        await settled(lambda: page.page.locator(".target").last.inner_text(), f"frase {number}")
    paints = await page.run("window.paints")
    assert len(paints) >= 200
    median_ms = statistics.median(paints)
    p95_ms = statistics.quantiles(paints, n=20)[-1]
    print(
        f"paint after receipt: median {median_ms:.1f} ms, p95 {p95_ms:.1f} ms, {len(paints)} events"
    )
    assert median_ms < 100
    assert await page.run("performance.getEntriesByType('measure').length") == 0  # none piles up
