"""The live page in a real browser, driven from a thread while the journal lives in the loop."""

from __future__ import annotations

import asyncio

from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, dropped, final, partial, translated
from tests.web.browser import Page

_SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


async def test_a_sentence_grows_becomes_final_and_is_corrected(
    journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session()
    journal.say(1, "Welcome.", "Bienvenidos.")
    await start_captions()
    await asyncio.to_thread(page.open)
    await asyncio.to_thread(page.wait_status, "live")
    journal.live(transcript=partial(2, 1, "grace", "and"))
    journal.live(translation=draft(2, 1, "gracia"))
    await asyncio.to_thread(page.wait_lines, "source", ["Welcome.", "grace and"])
    await asyncio.to_thread(page.wait_lines, "target", ["Bienvenidos.", "gracia"])
    assert "partial" in page.classes("target")[1]
    spans = "[...document.querySelectorAll('.target span')]"
    colours = page.run(f"return {spans}.map((span) => getComputedStyle(span).color)")
    assert colours[0] != colours[1]  # a partial is visibly not firm yet
    journal.say(2, "Grace and peace.", "Gracia y paz.")
    await asyncio.to_thread(page.wait_lines, "source", ["Welcome.", "Grace and peace."])
    await asyncio.to_thread(page.wait_lines, "target", ["Bienvenidos.", "Gracia y paz."])
    assert page.classes("target")[1] == "target"
    journal.correct(2, "es", "La gracia y la paz.")
    await asyncio.to_thread(page.wait_lines, "target", ["Bienvenidos.", "La gracia y la paz."])
    assert "corrected" in page.classes("target")[1]
    engines = page.run("return document.getElementById('engines').textContent")
    assert engines == "pocketsphinx/en-us  →  apertium/eng-spa"
    announced = page.run("return document.getElementById('announcer').innerText")
    assert "Gracia y paz." in announced
    assert "Bienvenidos." not in announced  # what was there before is not read out again
    assert page.console_problems() == []


async def test_a_partial_that_comes_to_nothing_is_taken_away(
    journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session()
    await start_captions()
    await asyncio.to_thread(page.open)
    await asyncio.to_thread(page.wait_status, "live")
    journal.live(transcript=partial(1, 1, "", "hmm"))
    await asyncio.to_thread(page.wait_lines, "source", ["hmm"])
    journal.live(segment_dropped=dropped(1))
    await asyncio.to_thread(page.wait_lines, "source", [])


async def test_markup_in_a_caption_is_shown_as_text(
    journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session(title=_SCRIPT)
    journal.say(1, _SCRIPT, f"{_SCRIPT} también")
    await start_captions()
    await asyncio.to_thread(page.open)
    await asyncio.to_thread(page.wait_lines, "source", [_SCRIPT])
    await asyncio.to_thread(page.wait_lines, "target", [f"{_SCRIPT} también"])
    assert page.driver.title == f"{_SCRIPT} · Glossa"
    assert page.run("return document.querySelectorAll('main script, main img').length") == 0
    assert page.console_problems() == []


async def test_a_restart_of_captions_loses_no_line_and_doubles_none(
    journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await asyncio.to_thread(page.open)
    await asyncio.to_thread(page.wait_lines, "target", ["uno"])
    captions.kill()
    await asyncio.to_thread(page.wait_status, "no connection, trying again")
    journal.say(2, "two", "dos")
    captions.start()
    await captions.wait_ready()
    await asyncio.to_thread(page.wait_lines, "target", ["uno", "dos"])
    await asyncio.to_thread(page.wait_status, "live")
    journal.say(3, "three", "tres")
    await asyncio.to_thread(page.wait_lines, "target", ["uno", "dos", "tres"])
    assert page.lines("source") == ["one", "two", "three"]
    resumed = [url for url in page.requested_urls() if "/ws?" in url]
    assert resumed[-1].endswith("session=sunday&after=3")


async def test_nothing_is_asked_of_another_host(
    journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await asyncio.to_thread(page.open)
    await asyncio.to_thread(page.wait_lines, "target", ["uno"])
    urls = page.requested_urls()
    host = page.url.removeprefix("http://")
    own = (f"http://{host}/", f"ws://{host}/")
    assert len(urls) >= 4
    assert [url for url in urls if not url.startswith(own)] == []
    assert page.console_problems() == []


async def test_the_reader_chooses_language_and_session(
    journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session("early", title="Early", targets=("es", "fr"))
    journal.append("early", transcript=final(1, "one"))
    journal.append("early", translation=translated(1, "uno", "es"))
    journal.append("early", translation=translated(1, "un", "fr"))
    journal.end_session("early")
    await start_captions()
    await asyncio.to_thread(page.open, "?language=fr")
    await asyncio.to_thread(page.wait_lines, "target", ["un"])
    await asyncio.to_thread(page.wait_status, "ended")
    choose = """const select = document.getElementById(arguments[0]);
      select.value = arguments[1]; select.dispatchEvent(new Event('change'))"""
    page.run(choose, "language", "es")
    await asyncio.to_thread(page.wait_lines, "target", ["uno"])
    page.run(choose, "language", "en")
    await asyncio.to_thread(page.wait_lines, "target", [])
    assert page.lines("source") == ["one"]
    # A session that begins takes the place of one that is over, unless the reader chose.
    journal.start_session("late", title="Late")
    journal.say(1, "two", "dos", session_id="late")
    await asyncio.to_thread(page.wait_lines, "source", ["two"])
    page.run(choose, "session", "early")
    await asyncio.to_thread(page.wait_lines, "source", ["one"])
    assert "session=early" in page.driver.current_url


async def test_a_reader_who_scrolled_back_is_not_dragged_to_the_end(
    journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session()
    for number in range(1, 41):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await asyncio.to_thread(page.open)
    await asyncio.to_thread(page.wait_status, "live")
    distance = """const { scrollHeight, scrollTop, clientHeight } =
      document.getElementById('scroller'); return scrollHeight - scrollTop - clientHeight"""
    await asyncio.to_thread(page.wait, lambda: page.run(distance) < 2, lambda: page.run(distance))
    page.run("document.getElementById('scroller').scrollTop = 100")
    visible = "return !document.getElementById('to-live').hidden"
    await asyncio.to_thread(page.wait, lambda: page.run(visible), lambda: "no way back to live")
    journal.say(41, "sentence 41", "frase 41")
    await asyncio.to_thread(
        page.wait, lambda: page.lines("target")[-1] == "frase 41", lambda: page.lines("target")
    )
    assert page.run("return document.getElementById('scroller').scrollTop") == 100
    page.run("document.getElementById('to-live').click()")
    await asyncio.to_thread(page.wait, lambda: page.run(distance) < 2, lambda: page.run(distance))


async def test_a_replaced_journal_replaces_what_is_shown(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions, page: Page
) -> None:
    journal.start_session()
    journal.say(1, "old", "viejo")
    await start_captions()
    await asyncio.to_thread(page.open)
    await asyncio.to_thread(page.wait_lines, "target", ["viejo"])
    await journal.stop()
    replaced = ScriptedJournal("journal-2")
    replaced.start_session()
    replaced.say(1, "new", "nuevo")
    replaced.say(2, "newer", "más nuevo")
    await replaced.serve(f"127.0.0.1:{port('gateway', base)}")
    await asyncio.to_thread(page.wait_lines, "target", ["nuevo", "más nuevo"])
    await replaced.stop()
