"""What the microphone's modules do with known samples, against real captions and a real gateway."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Browser, Page

from glossa.gateway.v1 import gateway_pb2
from services.audio import SAMPLE_RATE_HERTZ
from tests.gateway.peers import sermon, voiced
from tests.speech import Pcm
from tests.web.browser import settled
from tests.web.desk_fixtures import StartDesk
from tests.web.desk_stack import DeskStack

# An AudioLink in the page, fed with 100 ms each 20 ms: what a speaker says, five times as fast.
_FEED = """async ({ pcm, url, keptSamples }) => {
  const { AudioLink } = await import("/microphone/audio-link.js");
  const samples = new Int16Array(pcm);
  window.reports = [];
  window.link = new AudioLink({
    url,
    keptSamples,
    config: { title: "Fed", source_language: "en", target_languages: ["es"], store_audio: true },
    onReport: (report) => { window.reports.push(report); },
  });
  link.start();
  window.taken = 0;
  const timer = setInterval(() => {
    const chunk = samples.slice(taken, taken + 1600);
    if (chunk.length === 0) {
      clearInterval(timer);
      link.finish();
      return;
    }
    link.take(taken, chunk);
    window.taken += chunk.length;
  }, 20);
}"""


async def _page(browser: Browser, stack: DeskStack) -> Page:
    """A page of this origin that does nothing by itself."""
    page = await browser.new_page()
    await page.goto(f"{stack.url}/shared/icon.svg")
    return page


@pytest.mark.parametrize("killed", ["captions", "gateway"])
async def test_no_sample_is_lost_when_a_service_is_killed(
    start_desk: StartDesk, chromium: Browser, killed: str
) -> None:
    stack = await start_desk()
    page = await _page(chromium, stack)
    before = sermon(list(range(1, 16)))
    # Nothing of it is settled before it ends: it is in nobody's journal when the service dies.
    long = np.full(10 * SAMPLE_RATE_HERTZ, 16, dtype=np.int16)
    pcm = voiced(np.concatenate([before, long, sermon(list(range(17, 41)))]))
    await _feed(page, stack, pcm)
    process = stack.captions if killed == "captions" else stack.gateway_process
    await _wait_taken(page, len(before) + len(long) // 2)
    process.kill()
    await settled(lambda: page.evaluate("reports.at(-1).state"), "lost")
    await _wait_taken(page, len(before) + len(long))
    process.start()
    await process.wait_ready()
    await settled(lambda: page.evaluate("reports.at(-1).state"), "finished")
    report = await page.evaluate("reports.at(-1)")
    assert (report["missing"], report["lostSamples"]) == ([], 0)
    assert np.array_equal(await stack.audio(report["sessionId"]), pcm)
    events = await stack.events(report["sessionId"])
    texts = [event.transcript.stable_text for event in events if event.HasField("transcript")]
    assert texts == [f"Sentence {number} was said" for number in range(1, 41)]
    assert report["finalCount"] == 40


async def test_what_is_too_old_to_keep_is_an_honest_gap(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    page = await _page(chromium, stack)
    pcm = voiced(sermon(list(range(1, 41))))
    kept = 3 * SAMPLE_RATE_HERTZ
    await _feed(page, stack, pcm, kept_samples=kept)
    await _wait_taken(page, len(pcm) // 4)
    stack.captions.kill()
    before = await page.evaluate("taken")
    await _wait_taken(page, before + 2 * kept)
    await settled(lambda: page.evaluate("reports.at(-1).lostSamples > 0"), True)
    stack.captions.start()
    await stack.captions.wait_ready()
    await settled(lambda: page.evaluate("reports.at(-1).state"), "finished")
    report = await page.evaluate("reports.at(-1)")
    [gap] = report["missing"]
    [event] = await stack.events_of(report["sessionId"], "audio_gap", 1)
    assert event.audio_gap.first_sample == gap["firstSample"]
    assert event.audio_gap.next_sample == gap["nextSample"]
    heard = await stack.audio(report["sessionId"])
    missing = slice(gap["firstSample"], gap["nextSample"])
    expected = pcm.copy()
    expected[missing] = 0
    assert missing.stop - missing.start > SAMPLE_RATE_HERTZ
    assert np.array_equal(heard, expected)


async def _feed(page: Page, stack: DeskStack, pcm: Pcm, kept_samples: int = 2_400_000) -> None:
    url = f"{stack.url.replace('http', 'ws', 1)}/operator/microphone"
    argument = {"pcm": pcm.tolist(), "url": url, "keptSamples": kept_samples}
    await page.evaluate(_FEED, argument)
    await settled(lambda: page.evaluate("reports.at(-1)?.state"), "live")


async def _wait_taken(page: Page, count: int) -> None:
    async def is_taken() -> bool:
        return bool(await page.evaluate("taken") >= count)

    await settled(is_taken, True)


async def test_the_session_ends_while_the_connection_is_away(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    page = await _page(chromium, stack)
    await _feed(page, stack, sermon([1, 2]))
    await _wait_taken(page, 8_000)
    session_id = await page.evaluate("reports.at(-1).sessionId")
    await stack.gateway.EndSession(gateway_pb2.EndSessionRequest(session_id=session_id), timeout=20)

    async def state() -> str:
        return str(await page.evaluate("reports.at(-1).state"))

    await settled(lambda: _is_over(state), True)


async def _is_over(state: Callable[[], Awaitable[str]]) -> bool:
    return await state() in ("finished", "refused")


@pytest.mark.parametrize("rate", [48_000, 44_100, 96_000, 8_000])
async def test_resampling_keeps_a_tone_and_lets_no_other_one_in(
    start_desk: StartDesk, chromium: Browser, rate: int
) -> None:
    stack = await start_desk()
    page = await _page(chromium, stack)

    async def resampled(hertz: int, block: int) -> NDArray[np.float64]:
        values = await page.evaluate(_RESAMPLE, {"rate": rate, "hertz": hertz, "block": block})
        return np.array(values)

    whole = await resampled(1_000, rate)
    assert np.array_equal(whole, await resampled(1_000, 128))
    settled_part = whole[200:-200]
    times = np.arange(200, len(whole) - 200) / SAMPLE_RATE_HERTZ
    assert np.abs(settled_part - np.sin(2 * np.pi * 1_000 * times)).max() < 2e-3
    if rate > SAMPLE_RATE_HERTZ:
        # It would come back as 5.7 kHz.
        alias = (await resampled(10_300, 128))[200:-200]
        assert 20 * np.log10(np.abs(alias).max()) < -70


_RESAMPLE = """async ({ rate, hertz, block }) => {
  const { Resampler } = await import("/microphone/resampler.js");
  const turn = (2 * Math.PI * hertz) / rate;
  const tone = Float32Array.from({ length: rate }, (_, n) => Math.sin(turn * n));
  const resampler = new Resampler(rate, 16000);
  const found = [];
  for (let start = 0; start < tone.length; start += block) {
    found.push(...resampler.take(tone.subarray(start, start + block)));
  }
  return found;
}"""
