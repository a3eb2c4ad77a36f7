"""The browser's microphone: Chromium plays a recording into it, a real gateway keeps what arrives."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, async_playwright, expect

from glossa.gateway.v1 import gateway_pb2
from services.audio import SAMPLE_RATE_HERTZ
from tests.gateway.peers import sermon, voiced
from tests.speech import Pcm
from tests.web.browser import CHROMIUM, PageRecord, require_chromium, settled
from tests.web.desk_stack import DeafStt, DeskStack

StartDesk = Callable[..., Awaitable[DeskStack]]
TONE_HERTZ = 440
RECORDING_RATE_HERTZ = 48_000
_BROWSER_HOST = "glossa.test"  # a name that is no secure context

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


@pytest.fixture
async def start_desk(tmp_path: Path) -> AsyncIterator[StartDesk]:
    """Starts a stack; keywords as DeskStack takes them."""
    stacks: list[DeskStack] = []

    async def start(**settings: Any) -> DeskStack:
        stacks.append(DeskStack(tmp_path, **settings))
        await stacks[-1].start()
        return stacks[-1]

    yield start
    for stack in stacks:
        await stack.stop()


@asynccontextmanager
async def _hearing(recording: Path) -> AsyncIterator[Browser]:
    """A Chromium that hears this recording, again and again, and lets every page listen."""
    require_chromium()
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            chromium_sandbox=False,
            args=[
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={recording}",
                f"--host-resolver-rules=MAP {_BROWSER_HOST} 127.0.0.1",
            ],
        )
        try:
            yield chromium
        finally:
            await chromium.close()


def _tone(path: Path, duration_s: float = 10.0, level: float = 0.25) -> Path:
    """A tone of 440 Hz that goes on without a seam when the recording begins again."""
    times_s = np.arange(int(duration_s * RECORDING_RATE_HERTZ)) / RECORDING_RATE_HERTZ
    samples = (np.sin(2 * np.pi * TONE_HERTZ * times_s) * level * 32767).astype("<i2")
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(RECORDING_RATE_HERTZ)
        audio.writeframes(samples.tobytes())
    return path


async def _page(browser: Browser, url: str, init_script: str = "") -> Page:
    context = await browser.new_context(viewport={"width": 1400, "height": 900}, locale="en-US")
    context.set_default_timeout(15_000)
    if init_script:
        await context.add_init_script(init_script)
    page = await context.new_page()
    await page.goto(f"{url}/operator")
    return page


async def _audio(stack: DeskStack, session_id: str) -> Pcm:
    """What the gateway kept of a session."""
    call = stack.journal.FetchAudio(
        gateway_pb2.FetchAudioRequest(session_id=session_id), timeout=20
    )
    data = b"".join([response.audio.data async for response in call])
    return np.frombuffer(data, dtype="<i2")


async def _speak_tone(stack: DeskStack, page: Page, duration_s: float) -> str:
    """Starts a session from the panel, and stops it after it has heard so much; its id."""
    await page.get_by_role("button", name="Listen to the microphone").click()
    await expect(page.locator("#level-text")).to_contain_text("good")
    await page.get_by_label("Title").fill("By the browser")
    await page.get_by_label("Keep the audio").check()
    await page.get_by_role("button", name="Start the session").click()
    await expect(page.locator("#state")).to_have_text("live")
    session_id = (await page.evaluate("new URL(location.href).searchParams.get('session')")) or ""

    async def is_heard() -> bool:
        return len(await _audio(stack, session_id)) >= duration_s * SAMPLE_RATE_HERTZ

    await settled(is_heard, True)
    await page.get_by_role("button", name="Stop speaking").click()
    await expect(page.locator("#microphone")).to_contain_text("The session is over", timeout=30_000)
    return session_id


def _phase_steps(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the tone's phase is from where it should be, from one 50 ms to the next, in samples."""
    block = SAMPLE_RATE_HERTZ // 20
    count = len(samples) // block
    times = np.arange(count * block)
    mixed = samples[: count * block] * np.exp(-2j * np.pi * TONE_HERTZ * times / SAMPLE_RATE_HERTZ)
    phases = np.unwrap(np.angle(mixed.reshape(count, block).mean(axis=1)))
    return np.abs(np.diff(phases)) / (2 * np.pi) * SAMPLE_RATE_HERTZ / TONE_HERTZ


@pytest.mark.parametrize("init_script", ["", "_OWN_RATE"], ids=["browser", "worklet"])
async def test_a_tone_arrives_as_it_was_played(
    start_desk: StartDesk, tmp_path: Path, init_script: str
) -> None:
    stack = await start_desk(stt=DeafStt())
    async with _hearing(_tone(tmp_path / "tone.wav")) as browser:
        page = await _page(browser, stack.url, _OWN_RATE if init_script else "")
        record = PageRecord(page)
        session_id = await _speak_tone(stack, page, duration_s=4)
        if init_script:
            assert await page.evaluate("window.ownRates") == [48_000]
    kept = (await _audio(stack, session_id)).astype(np.float64)
    assert len(kept) >= 4 * SAMPLE_RATE_HERTZ
    events = await stack.events(session_id)
    assert not [event for event in events if event.HasField("audio_gap")]
    tone = kept[SAMPLE_RATE_HERTZ // 10 :]
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone))))
    loudest_hertz = np.argmax(spectrum) * SAMPLE_RATE_HERTZ / len(tone)
    assert abs(loudest_hertz - TONE_HERTZ) < 1
    # One dropped or doubled sample would be a step of 1; one lost chunk, of 1600.
    assert _phase_steps(tone).max() < 0.1
    assert abs(np.sqrt(np.mean(tone**2)) / 32768 - 0.25 / np.sqrt(2)) < 0.01
    assert record.problems == []


# A browser that keeps to the rate of its device.
_OWN_RATE = """
  const Given = AudioContext;
  window.ownRates = [];
  window.AudioContext = class extends Given {
    constructor() {
      super({ sampleRate: 48000 });
      window.ownRates.push(this.sampleRate);
    }
  };
"""


@pytest.mark.parametrize("killed", ["captions", "gateway"])
async def test_no_sample_is_lost_when_a_service_is_killed(
    start_desk: StartDesk, chromium: Browser, killed: str
) -> None:
    stack = await start_desk()
    page = await _page(chromium, stack.url)
    pcm = voiced(sermon(list(range(1, 41))))
    await _feed(page, stack, pcm)
    process = stack.captions if killed == "captions" else stack.gateway_process
    await _wait_taken(page, len(pcm) // 3)
    process.kill()
    await settled(lambda: page.evaluate("reports.at(-1).state"), "lost")
    await _wait_taken(page, len(pcm) // 2)
    process.start()
    await process.wait_ready()
    await settled(lambda: page.evaluate("reports.at(-1).state"), "finished")
    report = await page.evaluate("reports.at(-1)")
    assert (report["missing"], report["lostSamples"]) == ([], 0)
    assert np.array_equal(await _audio(stack, report["sessionId"]), pcm)
    events = await stack.events(report["sessionId"])
    texts = [event.transcript.stable_text for event in events if event.HasField("transcript")]
    assert texts == [f"Sentence {number} was said" for number in range(1, 41)]
    assert report["finalCount"] == 40


async def test_what_is_too_old_to_keep_is_an_honest_gap(
    start_desk: StartDesk, chromium: Browser
) -> None:
    stack = await start_desk()
    page = await _page(chromium, stack.url)
    pcm = voiced(sermon(list(range(1, 41))))
    kept = 3 * SAMPLE_RATE_HERTZ
    await _feed(page, stack, pcm, kept_samples=kept)
    await _wait_taken(page, len(pcm) // 4)
    stack.captions.kill()
    before = await page.evaluate("taken")
    await _wait_taken(page, before + 2 * kept)
    assert (await page.evaluate("reports.at(-1)"))["lostSamples"] > 0
    stack.captions.start()
    await stack.captions.wait_ready()
    await settled(lambda: page.evaluate("reports.at(-1).state"), "finished")
    report = await page.evaluate("reports.at(-1)")
    [gap] = report["missing"]
    [event] = await stack.events_of(report["sessionId"], "audio_gap", 1)
    assert event.audio_gap.first_sample == gap["firstSample"]
    assert event.audio_gap.next_sample == gap["nextSample"]
    heard = await _audio(stack, report["sessionId"])
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
    page = await _page(chromium, stack.url)
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
    page = await _page(chromium, stack.url)

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
  const tone = Float32Array.from({ length: rate }, (_, n) => Math.sin((2 * Math.PI * hertz * n) / rate));
  const resampler = new Resampler(rate, 16000);
  const found = [];
  for (let start = 0; start < tone.length; start += block) {
    found.push(...resampler.take(tone.subarray(start, start + block)));
  }
  return found;
}"""


async def test_another_microphone_goes_on_in_the_same_session(
    start_desk: StartDesk, tmp_path: Path
) -> None:
    stack = await start_desk(stt=DeafStt())
    async with _hearing(_tone(tmp_path / "tone.wav")) as browser:
        page = await _page(browser, stack.url)
        await page.get_by_role("button", name="Listen to the microphone").click()
        await expect(page.locator("#level-text")).to_contain_text("good")
        device = page.get_by_role("combobox", name="Microphone")
        names = await device.locator("option").all_inner_texts()
        assert len(names) > 2 and all(names)  # they have names once one was opened
        await page.get_by_role("button", name="Start the session").click()
        await expect(page.locator("#state")).to_have_text("live")
        await device.select_option(index=len(names) - 1)
        await expect(page.locator("#microphone")).to_contain_text("Speaking.")
        await expect(page.locator("#microphone")).to_contain_text(names[-1])
        await page.get_by_role("button", name="Stop speaking").click()
        await expect(page.locator("#microphone")).to_contain_text("The session is over")
        status = await page.evaluate("fetch('/operator/sessions').then((each) => each.json())")
        assert len(status["sessions"]) == 1


async def test_a_page_that_may_not_listen_says_what_to_do(
    start_desk: StartDesk, tmp_path: Path, chromium: Browser
) -> None:
    stack = await start_desk(public_url=f"http://{_BROWSER_HOST}/")
    async with _hearing(_tone(tmp_path / "tone.wav")) as browser:
        page = await _page(browser, stack.url.replace("127.0.0.1", _BROWSER_HOST))
        panel = page.locator("#microphone")
        await expect(panel.get_by_role("alert")).to_contain_text("over HTTPS only")
        await expect(panel.get_by_role("alert")).to_contain_text(
            "GLOSSA_CAPTIONS_WEB_CERTIFICATE_FILE"
        )
        assert await panel.get_by_role("button").count() == 0
    # On this machine there is none.
    page = await _page(chromium, stack.url)
    await page.get_by_role("button", name="Listen to the microphone").click()
    await expect(page.locator("#microphone").get_by_role("alert")).to_contain_text("microphone")


async def test_a_wrong_language_is_refused_in_words_and_may_be_put_right(
    start_desk: StartDesk, tmp_path: Path
) -> None:
    stack = await start_desk(stt=DeafStt())
    async with _hearing(_tone(tmp_path / "tone.wav")) as browser:
        page = await _page(browser, stack.url)
        await page.get_by_role("button", name="Listen to the microphone").click()
        await page.get_by_label("Language spoken").fill("tlh")
        await page.get_by_role("button", name="Start the session").click()
        panel = page.locator("#microphone")
        await expect(panel.get_by_role("alert")).to_contain_text("The session was refused")
        await page.get_by_label("Language spoken").fill("en")
        await page.get_by_role("button", name="Start the session").click()
        await expect(page.locator("#state")).to_have_text("live")
