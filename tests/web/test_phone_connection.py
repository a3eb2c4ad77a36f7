"""A phone that sleeps, loses its network, or whose browser allows little."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.settings import port
from tests.captions.conftest import StartCaptions
from tests.captions.upstream import ScriptedJournal, draft, partial
from tests.web.browser import settled
from tests.web.phone_page import PhonePage

_NO_WEB_SOCKET = "delete window.WebSocket"
_DEAF_WEB_SOCKET = """
window.WebSocket = class extends EventTarget {
  constructor() { super(); setTimeout(() => this.dispatchEvent(new Event("close"))); }
  close() {}
};
"""
_NO_STORAGE = """
for (const name of ["localStorage", "sessionStorage", "indexedDB", "caches"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });
}
"""
_OLD_BROWSER = """
delete window.WebSocket;
delete window.ResizeObserver;
delete Intl.DisplayNames;
delete Navigator.prototype.wakeLock;
delete AbortSignal.timeout;
"""


async def test_a_late_reader_gets_everything_that_was_said(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    for number in range(1, 201):
        journal.say(number, f"sentence {number}", f"frase {number}")
    journal.correct(7, "es", "frase siete")
    await start_captions()
    await journal.wait_followed()
    journal.live(transcript=partial(201, 1, "and", "so"))
    await page.open()
    expected = [f"frase {number}" for number in range(1, 201)]
    expected[6] = "frase siete"
    await page.wait_lines("target", expected)
    await settled(lambda: page.page.locator(".source").last.inner_text(), "and so")
    await page.wait_at_end()
    assert await page.announced() == []


async def test_where_no_web_socket_comes_through_captions_come_as_events(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await page.page.add_init_script(_NO_WEB_SOCKET)
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.live(translation=draft(2, 1, "do"))
    await page.wait_lines("target", ["uno", "do"])
    journal.say(2, "two", "dos")
    await page.wait_lines("target", ["uno", "dos"])
    captions.kill()
    await page.wait_status("no connection, trying again")
    journal.say(3, "three", "tres")
    captions.start()
    await captions.wait_ready()
    await page.wait_lines("target", ["uno", "dos", "tres"])
    resumed = [url for url in page.record.urls if "/events?" in url]
    assert resumed[-1].endswith("session=sunday&after=6")


async def test_a_web_socket_that_never_speaks_gives_way_to_events(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await page.page.add_init_script(_DEAF_WEB_SOCKET)
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    assert any("/events?" in url for url in page.record.urls)


async def test_a_browser_that_keeps_nothing_shows_captions_all_the_same(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await page.page.add_init_script(_NO_STORAGE)
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    await page.choose("Translation")
    await page.wait_lines("source", [])
    assert await page.lines("target") == ["uno"]
    assert page.record.problems == []


async def test_an_old_browser_shows_captions_all_the_same(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await page.page.add_init_script(_OLD_BROWSER)
    journal.start_session(targets=("es", "ar"))
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    options = await page.language.locator("option").all_inner_texts()
    assert options == ["Español", "العربية", "English"]
    await page.open_sheet()
    assert await page.page.get_by_label("Keep the screen on").is_hidden()
    assert page.record.problems == []


async def test_a_phone_without_a_network_catches_up_when_it_is_back(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.live(transcript=partial(2, 1, "never", "finished"))
    await page.wait_lines("source", ["one", "never finished"])
    await page.page.context.set_offline(True)
    captions.kill()  # Chromium leaves an open WebSocket alone when it is told to be offline
    await page.wait_status("no connection, trying again")
    captions.start()
    await captions.wait_ready()
    journal.say(3, "three", "tres")
    await page.page.context.set_offline(False)
    await page.wait_status("live")
    await page.wait_lines("target", ["uno", "tres"])
    # The partial of before never came to anything, and nobody was there to say so.
    await page.wait_lines("source", ["one", "three"])
    assert await page.announced() == ["tres"]  # missed while away, so it is read out now


async def test_a_page_that_was_frozen_goes_on_without_a_gap_or_a_double(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    session = await page.page.context.new_cdp_session(page.page)
    await session.send("Page.setWebLifecycleState", {"state": "frozen"})
    journal.say(2, "two", "dos")
    captions.kill()
    captions.start()
    await captions.wait_ready()
    journal.say(3, "three", "tres")
    await session.send("Page.setWebLifecycleState", {"state": "active"})
    await page.wait_lines("target", ["uno", "dos", "tres"])
    await page.wait_status("live")
    assert await page.lines("source") == ["one", "two", "three"]


async def test_a_page_that_comes_back_checks_its_connection_at_once(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await page.page.clock.install()
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])

    def connections() -> int:
        return sum("/ws?" in url for url in page.record.urls)

    set_visible = """state => {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    before = connections()
    await page.run(set_visible, "hidden")
    await page.page.clock.fast_forward(2_000)
    await page.run(set_visible, "visible")  # a glance at another page
    assert connections() == before
    await page.run(set_visible, "hidden")
    await page.page.clock.fast_forward(180_000)
    await page.run(set_visible, "visible")

    async def has_reconnected() -> bool:
        return connections() == before + 1

    await settled(has_reconnected, True)
    assert page.record.urls[-1].endswith("after=3")
    journal.say(2, "two", "dos")
    await page.wait_lines("target", ["uno", "dos"])


async def test_the_next_session_takes_over_from_one_that_ended(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    await start_captions()
    await page.open()
    await page.wait_status("waiting for a service")
    journal.start_session("early", title="Early")
    journal.say(1, "one", "uno", session_id="early")
    await page.wait_lines("target", ["uno"])
    journal.end_session("early")
    await page.wait_status("ended")
    journal.correct(1, "es", "el uno", session_id="early")
    await page.wait_lines("target", ["el uno"])
    journal.start_session("late", title="Late")
    await page.wait_lines("target", [])
    assert await page.page.title() == "Late · Glossa"
    journal.say(1, "two", "dos", session_id="late")
    await page.wait_lines("target", ["dos"])
    assert "uno" not in await page.page.content()


async def test_a_link_with_a_token_opens_the_page_and_keeps_it_to_itself(
    chromium: Browser, base: int, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    token = "a-token-of-this-test"
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions(view_token=token)
    url = f"http://127.0.0.1:{port('captions_web', base)}"
    for fragment in (f"#token={token}", ""):
        context = await chromium.new_context(locale="es-ES")
        page = await PhonePage.new(context, url)
        await page.open(fragment)
        if not fragment:
            await page.wait_status("a token is wanted")
            field = page.page.get_by_label("Token")
            await field.fill("not the token")
            await page.page.keyboard.press("Enter")
            await expect(field).to_have_value("")
            assert await page.lines("target") == []
            await field.fill(token)
            await page.page.keyboard.press("Enter")
        await page.wait_lines("target", ["uno"])
        assert page.page.url == f"{url}/"
        assert not [each for each in page.record.urls if token in each and "#" not in each]
        await context.close()


async def test_nothing_of_a_session_stays_in_the_browser(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session(title="Harvest")
    await start_captions()
    await page.open()
    await page.wait_status("live")
    journal.say(1, "the secret word", "la palabra secreta")
    await page.wait_lines("target", ["la palabra secreta"])
    await page.choose("Dark")  # the sheet has listed the sessions
    kept = """async () => JSON.stringify([
      { ...localStorage }, { ...sessionStorage }, await indexedDB.databases(), await caches.keys(),
      document.cookie, history.state,
      (await navigator.serviceWorker.getRegistrations()).length,
    ])"""
    assert await page.run(kept) == (
        '[{"glossa.reading":"{\\"language\\":\\"\\",\\"view\\":\\"both\\",\\"theme\\":\\"dark\\",'
        '\\"size\\":2,\\"wake\\":false}"},{},[],[],"",null,0]'
    )
    journal.end_session()
    await page.wait_status("ended")
    journal.append("sunday", session_forgotten=gateway.SessionForgotten())
    await page.wait_lines("target", [])
    for secret in ("secret word", "palabra secreta", "Harvest"):
        assert secret not in await page.page.content()
        assert secret not in await page.run(kept)


async def test_a_page_that_is_left_keeps_no_text_for_the_way_back(
    journal: ScriptedJournal, start_captions: StartCaptions, page: PhonePage
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    await start_captions()
    await page.open()
    await page.wait_lines("target", ["uno"])
    await page.run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
    assert await page.lines("target") == []
    assert "uno" not in await page.page.content()
    await page.run("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    await page.wait_lines("target", ["uno"])
