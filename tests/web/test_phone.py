"""The phone page in a real browser."""

from __future__ import annotations

from glossa.gateway.v1 import gateway_pb2
from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, dropped, final, partial, translated
from tests.web.browser import settled
from tests.web.phone_page import PhonePage

_SCRIPT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


async def test_a_sentence_grows_becomes_final_and_is_corrected(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "Welcome.", "Bienvenidos.")
    await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.live(transcript=partial(2, 1, "grace", "and"))
    journal.live(translation=draft(2, 1, "gracia"))
    await page.wait_lines("source", ["Welcome.", "grace and"])
    await page.wait_lines("target", ["Bienvenidos.", "gracia"])
    assert "partial" in (await page.classes("target"))[1]
    spans = "[...document.querySelectorAll('.target span')]"
    colours = await page.run(f"{spans}.map((span) => getComputedStyle(span).color)")
    assert colours[0] != colours[1]  # a partial is visibly not firm yet
    journal.say(2, "Grace and peace.", "Gracia y paz.")
    await page.wait_lines("source", ["Welcome.", "Grace and peace."])
    await page.wait_lines("target", ["Bienvenidos.", "Gracia y paz."])
    assert (await page.classes("target"))[1] == "target"
    journal.correct(2, "es", "La gracia y la paz.")
    await page.wait_lines("target", ["Bienvenidos.", "La gracia y la paz."])
    assert "corrected" in (await page.classes("target"))[1]
    await page.open_sheet()
    engines = await page.page.locator("#engines").inner_text()
    assert engines.endswith("pocketsphinx/en-us → apertium/eng-spa")
    # What was there before is not read out, and a correction is not read again.
    assert await page.announced() == ["Gracia y paz."]
    assert page.record.problems == []


async def test_a_partial_that_comes_to_nothing_is_taken_away(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.live(transcript=partial(1, 1, "", "hmm"))
    await page.wait_lines("source", ["hmm"])
    journal.live(segment_dropped=dropped(1))
    await page.wait_lines("source", [])


async def test_a_deleted_session_leaves_the_page(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session("monday", title="Evening")
    journal.say(1, "Still here.", "Aún aquí.", session_id="monday")
    journal.end_session("monday")
    journal.start_session(title="Harvest")
    journal.say(1, "Welcome.", "Bienvenidos.")
    await start_captions()
    await page.open("?session=sunday")
    await page.wait_lines("target", ["Bienvenidos."])
    journal.append("sunday", session_forgotten=gateway_pb2.SessionForgotten())
    await page.wait_lines("target", ["Aún aquí."])
    assert await page.page.locator("#title").text_content() == "Evening"
    journal.append("monday", session_forgotten=gateway_pb2.SessionForgotten())
    await page.wait_lines("target", [])
    assert await page.page.locator("#title").text_content() == "Live captions"
    assert "Harvest" not in await page.page.locator("body").inner_text()
    assert page.record.problems == []


async def test_markup_in_a_caption_is_shown_as_text(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session(title=_SCRIPT)
    journal.say(1, _SCRIPT, f"{_SCRIPT} también")
    await start_captions()
    await page.open()
    await page.wait_lines("source", [_SCRIPT])
    await page.wait_lines("target", [f"{_SCRIPT} también"])
    assert await page.page.title() == f"{_SCRIPT} · Glossa"
    assert await page.page.locator("main script, main img").count() == 0
    assert page.record.problems == []


async def test_a_restart_of_captions_loses_no_line_and_doubles_none(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    captions.kill()
    await page.wait_status("no connection, trying again")
    journal.say(2, "two", "dos")
    captions.start()
    await captions.wait_ready()
    await page.wait_lines("target", ["uno", "dos"])
    await page.wait_status("live")
    journal.say(3, "three", "tres")
    await page.wait_lines("target", ["uno", "dos", "tres"])
    assert await page.lines("source") == ["one", "two", "three"]
    resumed = [url for url in page.record.urls if "/ws?" in url]
    assert resumed[-1].endswith("language=en%2Ces&session=sunday&after=3")


async def test_nothing_is_asked_of_another_host(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    urls = page.record.urls
    host = page.url.removeprefix("http://")
    own = (f"http://{host}/", f"ws://{host}/")
    assert len(urls) >= 4
    assert [url for url in urls if not url.startswith(own)] == []
    assert page.record.problems == []


async def test_the_reader_chooses_language_and_session(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session("early", title="Early", targets=("es", "fr"))
    journal.append("early", transcript=final(1, "one"))
    journal.append("early", translation=translated(1, "uno", "es"))
    journal.append("early", translation=translated(1, "un", "fr"))
    journal.end_session("early")
    await start_captions()
    await page.open("?language=fr")
    await page.wait_lines("target", ["un"])
    await page.wait_status("ended")
    await page.language.select_option("Español")
    await page.wait_lines("target", ["uno"])
    await page.language.select_option("English")
    await page.wait_lines("target", [])
    await page.wait_lines("source", ["one"])
    # A session that begins takes the place of one that is over, unless the reader chose.
    journal.start_session("late", title="Late")
    journal.say(1, "two", "dos", session_id="late")
    await page.wait_lines("source", ["two"])
    await page.open_sheet()
    await page.page.locator("#session").select_option("early")
    await page.wait_lines("source", ["one"])
    assert "session=early" in page.page.url


async def test_a_reader_who_scrolled_back_is_not_dragged_to_the_end(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    everything = [f"frase {number}" for number in range(1, 42)]
    for number in range(1, 41):
        journal.say(number, f"sentence {number}", f"frase {number}")
    await start_captions()
    await page.open()
    await page.wait_lines("target", everything[:-1])
    await page.wait_at_end()
    await page.scroll_to(100)
    await settled(page.to_live.is_visible, True)
    journal.say(41, "sentence 41", "frase 41")
    await page.wait_lines("target", everything)
    assert await page.scroll_top() == 100
    await page.to_live.click()
    await page.wait_at_end()
    assert await page.to_live.is_hidden()


async def test_a_caption_right_after_a_move_back_does_not_drag_the_reader_to_the_end(
    start_captions: StartCaptions, page: PhonePage
) -> None:
    await start_captions()
    await page.open()
    places = await page.run(
        """async () => {
          const { Follower } = await import("/shared/follower.js");
          const [scroller, lines] = [document.createElement("div"), document.createElement("div")];
          scroller.style = "height: 100px; overflow-y: scroll; overflow-anchor: none";
          scroller.append(lines);
          document.body.append(scroller);
          const add = () => {
            lines.append(document.createElement("p"));
            lines.lastElementChild.style = "height: 50px; margin: 0";
          };
          const follower = new Follower(scroller, lines, document.createElement("button"));
          for (let count = 0; count < 20; count++) follower.keepPlace(add);
          const atEnd = scroller.scrollTop;
          scroller.scrollTop = 300; // no event has told of it when the next line comes
          follower.keepPlace(add);
          return [atEnd, scroller.scrollTop];
        }"""
    )
    assert places == [900, 300]


async def test_a_replaced_journal_replaces_what_is_shown(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "old", "viejo")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["viejo"])
    await journal.stop()
    replaced = ScriptedJournal("journal-2")
    replaced.start_session()
    replaced.say(1, "new", "nuevo")
    replaced.say(2, "newer", "más nuevo")
    await replaced.serve(f"127.0.0.1:{port('gateway', base)}")
    await page.wait_lines("target", ["nuevo", "más nuevo"])
    await replaced.stop()
