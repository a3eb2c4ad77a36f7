"""Chromium's own <track> reads the WebVTT that is served, finished or growing."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Browser, Route

from tests.captions.test_transcript_cues import HOSTILE
from tests.captions.test_transcripts import say_with_words
from tests.captions.upstream import ScriptedJournal, final, translated
from tests.web.conftest import StartCaptions

_PLAYER = "<!doctype html><title>A player</title><video></video>"
_READ_TRACK = """
async (url) => {
  const track = document.createElement("track");
  track.src = url;
  document.querySelector("video").append(track);
  const loaded = new Promise((resolve, reject) => {
    track.onload = resolve;
    track.onerror = () => reject(new Error("the track could not be read"));
  });
  track.track.mode = "hidden";
  await loaded;
  return [...track.track.cues].map((cue) => ({
    start: cue.startTime,
    end: cue.endTime,
    text: cue.getCueAsHTML().textContent,
    stamps: cue.text.match(/<[\\d:.]+>/g) ?? [],
  }));
}
"""


async def track_cues(chromium: Browser, url: str, path: str) -> list[dict[str, Any]]:
    """The cues that a player on the same site gets; our own pages play no video."""

    async def answer(route: Route) -> None:
        await route.fulfill(body=_PLAYER, content_type="text/html")

    page = await chromium.new_page()
    try:
        await page.route("**/player.html", answer)
        await page.goto(f"{url}/player.html")
        return list(await page.evaluate(_READ_TRACK, url + path))
    finally:
        await page.close()


async def test_a_player_reads_hostile_texts_as_they_are(
    chromium: Browser, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number, text in enumerate(HOSTILE, start=1):
        journal.append("sunday", transcript=final(number, f"{number}: {text} ."))
        journal.append("sunday", translation=translated(number, f"{number}: {text} !"))
    journal.end_session()
    captions = await start_captions()
    for ending in ("captions.vtt", "live.vtt"):
        path = f"/sessions/sunday/{ending}?language=es"
        cues = await track_cues(chromium, captions.web, path)
        shown = "".join("".join(cue["text"].split()) for cue in cues)
        expected = "".join(f"{number}:{text}!" for number, text in enumerate(HOSTILE, start=1))
        for control in "\x00\x1b\x7f\x85\ufeff":
            expected = expected.replace(control, "")
        assert shown == "".join(expected.split())


async def test_a_player_gets_the_times_of_cues_and_words(
    chromium: Browser, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    say_with_words(journal, 1, "Grace & peace")
    captions = await start_captions()
    path = "/sessions/sunday/captions.vtt?words=1&offset=1"
    assert await track_cues(chromium, captions.web, path) == [
        {
            "start": 5,
            "end": 8,
            "text": "Grace & peace",
            "stamps": ["<00:00:05.500>", "<00:00:06.000>"],
        }
    ]
