"""The browser's microphone: Chromium hears a recording, a real gateway keeps what arrives."""

from __future__ import annotations

import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.async_api import Browser, Page, async_playwright, expect

from services.audio import SAMPLE_RATE_HERTZ
from tests.web.browser import CHROMIUM, PageRecord, require_chromium, settled
from tests.web.desk_fixtures import StartDesk
from tests.web.desk_stack import DeafStt, DeskStack

TONE_HERTZ = 437  # of which neither 10 nor 100 ms hold whole periods: what is lost shows
_ATTEMPTS = 3
RECORDING_RATE_HERTZ = 48_000
_BROWSER_HOST = "glossa.test"  # a name that is no secure context


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
    """A tone of TONE_HERTZ that goes on without a seam when the recording begins again."""
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
        return len(await stack.audio(session_id)) >= duration_s * SAMPLE_RATE_HERTZ

    await settled(is_heard, True)
    await page.get_by_role("button", name="Stop speaking").click()
    await expect(page.locator("#microphone")).to_contain_text("The session is over", timeout=30_000)
    return session_id


def _phase_steps(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far the tone moves against a steady one from one 50 ms to the next, in samples."""
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
    for _ in range(_ATTEMPTS):
        async with _hearing(_tone(tmp_path / "tone.wav")) as browser:
            page = await _page(browser, stack.url, _OWN_RATE if init_script else "")
            record = PageRecord(page)
            session_id = await _speak_tone(stack, page, duration_s=4)
            if init_script:
                assert await page.evaluate("window.ownRates") == [48_000]
        kept = (await stack.audio(session_id)).astype(np.float64)
        assert len(kept) >= 4 * SAMPLE_RATE_HERTZ
        events = await stack.events(session_id)
        assert not [event for event in events if event.HasField("audio_gap")]
        tone = kept[SAMPLE_RATE_HERTZ // 10 :]
        # Chromium's pretended device itself loses a buffer of 10 ms now and then on a machine that
        # is busy. What the page lost, it would lose every time.
        if _phase_steps(tone).max() < 0.1:
            break
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
        assert len(names) > 2
        assert all(names)  # they have names once one was opened
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


async def test_a_page_that_was_closed_goes_on_with_its_session(
    start_desk: StartDesk, tmp_path: Path
) -> None:
    stack = await start_desk(stt=DeafStt())
    async with _hearing(_tone(tmp_path / "tone.wav")) as browser:
        page = await _page(browser, stack.url)
        await page.get_by_role("button", name="Listen to the microphone").click()
        await page.get_by_label("Title").fill("Harvest")
        await page.get_by_role("button", name="Start the session").click()
        await expect(page.locator("#state")).to_have_text("live")
        await page.close()
        page = await _page(browser, stack.url)
        await expect(page.locator("#speaker")).to_contain_text("Nobody speaks into it now")
        await page.get_by_role("button", name="Listen to the microphone").click()
        choice = page.locator("#microphone").get_by_role("combobox", name="Session")
        await choice.select_option(label="Go on with Harvest")
        await page.get_by_role("button", name="Start the session").click()
        await expect(page.locator("#speaker")).to_be_empty()
        await page.get_by_role("button", name="Stop speaking").click()
        await expect(page.locator("#microphone")).to_contain_text("The session is over")
        answer = await page.evaluate("fetch('/operator/sessions').then((each) => each.json())")
        [session] = answer["sessions"]
        assert session["end_time"]
    assert not [
        event for event in await stack.events(session["session_id"]) if event.HasField("audio_gap")
    ]
