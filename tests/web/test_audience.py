"""What a sermon is on the projector's page, with a real captions process, in a real browser."""

from __future__ import annotations

import functools
import random

from glossa.gateway.v1 import gateway_pb2 as gateway
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, partial
from tests.web.audience_fixtures import open_live, show
from tests.web.browser import settled
from tests.web.screen_page import ScreenPage


def _hide(journal: ScriptedJournal, segment_id: int, is_hidden: bool) -> None:
    hidden = gateway.SegmentHidden(segment_id=segment_id, is_hidden=is_hidden)
    journal.append("sunday", segment_hidden=hidden)


async def _last_line(hall: ScreenPage, column: int) -> str:
    return (await hall.lines(column))[-1]


async def test_a_draft_stays_below_and_dim_until_its_final_is_committed(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall)
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
    await open_live(journal, start_captions, hall)
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
    await open_live(journal, start_captions, hall)
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
    await open_live(journal, start_captions, hall)
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
    await open_live(journal, start_captions, hall, "?theme=light")
    lines = hall.page.locator(".rows .line").first
    await hall.wait_still()
    place = await lines.bounding_box()
    show(journal, announcement="Der Saal ist voll.", language="de")
    announcement = hall.page.get_by_text("Der Saal ist voll.")
    await announcement.wait_for()
    assert await announcement.get_attribute("lang") == "de"
    assert await lines.bounding_box() == place  # it moves no line
    show(journal, is_blank=True, announcement="Der Saal ist voll.", language="de")
    await lines.wait_for(state="hidden")
    assert await announcement.is_visible()
    assert not await hall.page.get_by_role("img").is_visible()
    background = "getComputedStyle(document.body).backgroundColor"
    assert await hall.run(background) == "rgb(0, 0, 0)"
    show(journal)
    await lines.wait_for(state="visible")
    assert not await announcement.is_visible()
    assert await hall.run(background) == "rgb(255, 255, 255)"


async def test_the_longest_announcement_is_shown_whole(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall)
    show(journal, announcement="Please move your car. " * 22)
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
    await open_live(journal, start_captions, hall)
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


async def test_lines_roll_unless_less_motion_is_wanted(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall)
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
    await open_live(journal, start_captions, hall)
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


async def test_a_text_of_ten_thousand_characters_comes_line_by_line(
    journal: ScriptedJournal, start_captions: StartCaptions, hall: ScreenPage
) -> None:
    await open_live(journal, start_captions, hall)
    words = [f"n{number}" for number in range(1700)]
    journal.say(2, "long", " ".join(words))

    async def has_two_lines() -> bool:
        return len(await hall.lines()) == 3

    await settled(has_two_lines, True)
    shown = " ".join((await hall.lines())[1:]).split()
    assert shown == words[: len(shown)]
