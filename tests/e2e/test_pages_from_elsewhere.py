"""The pages as a church in its own network has them: HTTPS, tokens, and a browser that speaks."""

from __future__ import annotations

import re
import subprocess
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from services.captions.web.join import qr_svg
from services.captions.web.lan_address import lan_address
from tests.e2e.pulpit import Pulpit
from tests.e2e.readers import DESK, PHONE, Congregation, Reader
from tests.e2e.stack import UpStack, texts
from tests.speech import Pcm, silence, spoken, with_pauses
from tests.web.browser import CHROMIUM, browser, require_chromium, settled
from tests.web.desk_page import DeskPage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

VIEW_TOKEN = "a-token-of-viewers-of-this-test"
OPERATOR_TOKEN = "a-token-of-operators-of-this-test"
RECORDING_RATE_HERTZ = 16_000


@pytest.fixture
def address() -> str:
    found = lan_address()
    if not found:
        pytest.skip("this machine is in no network")
    return found


@pytest.fixture
def certificate(tmp_path: Path, address: str) -> tuple[Path, Path]:
    """A certificate for this machine's address, that nobody signed, and its key."""
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=x"
    files = ("-keyout", "key.pem", "-out", "cert.pem", "-addext", f"subjectAltName=IP:{address}")
    subprocess.run(
        ("openssl", *make.split(), *files), cwd=tmp_path, check=True, capture_output=True
    )
    return tmp_path / "cert.pem", tmp_path / "key.pem"


@pytest.fixture
async def stack(tmp_path: Path, certificate: tuple[Path, Path]) -> AsyncIterator[UpStack]:
    """What a volunteer starts who was given a certificate and tokens."""
    stack = UpStack(
        tmp_path,
        options=("--lan",),
        GLOSSA_CAPTIONS_WEB_CERTIFICATE_FILE=certificate[0],
        GLOSSA_CAPTIONS_WEB_KEY_FILE=certificate[1],
        GLOSSA_CAPTIONS_VIEW_TOKEN=VIEW_TOKEN,
        GLOSSA_CAPTIONS_OPERATOR_TOKEN=OPERATOR_TOKEN,
    )
    await stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


async def _printed_links(stack: UpStack) -> dict[str, str]:
    """Each page's link as `up` printed it."""

    async def is_printed() -> bool:
        return "Ctrl-C stops everything" in stack.log()

    await settled(is_printed, True)
    return dict(re.findall(r"glossa: (phones|hall|stream|operator) +(https://\S+)", stack.log()))


async def test_over_https_each_link_opens_its_page_and_a_wrong_token_none(
    stack: UpStack, address: str
) -> None:
    require_chromium()
    links = await _printed_links(stack)
    assert all(link.startswith(f"https://{address}:") for link in links.values())
    base = links["phones"].partition("#")[0]
    viewing, operating = f"#token={VIEW_TOKEN}", f"#token={OPERATOR_TOKEN}"
    assert links["operator"] == f"{base}operator{operating}"
    async with browser() as chromium:
        everybody = await Congregation.gather(
            chromium, base, viewing=viewing, operating=operating, ignore_https_errors=True
        )
        # The code that the hall sees is the link for phones, token included.
        code = await everybody.hall.page.evaluate(
            "async () => (await fetch(document.querySelector('#join-code').src)).text()"
        )
        assert code.encode() == qr_svg(links["phones"]) == qr_svg(f"{base}{viewing}")

        pulpit = Pulpit(stack.speaker(speed=0, title="Behind tokens"))
        await pulpit.say("There is bread on the table.", "He walked along the road.")
        found = await stack.finals(pulpit.session_id, 2)
        await everybody.wait_finals("en", found["transcript"])
        await everybody.wait_finals("es", found["translation"])
        await DeskPage(everybody.desk.page, base).correct(2, "es", "Iba por el camino.")
        await everybody.phone.wait_standing("es", "Iba por el camino.", is_there=True)
        for reader in everybody:
            assert "token" not in reader.page.url
            assert not [url for url in reader.record.urls if "token=" in url.partition("#")[0]]
            assert not any(url.startswith(("http:", "ws:")) for url in reader.record.urls)

        for path in ("#token=not-the-token", "audience#token=not-the-token"):
            stranger = await Reader.open(chromium, base + path, PHONE, ignore_https_errors=True)
            await expect(stranger.page.get_by_label("Token")).to_be_visible()
            assert stranger.frames == []
            assert "bread" not in await stranger.page.content()
            await stranger.close()
        # Who may read may not operate.
        viewer = await Reader.open(
            chromium, f"{base}operator{viewing}", PHONE, ignore_https_errors=True
        )
        await expect(viewer.page.get_by_role("dialog")).to_contain_text("Who may operate?")
        answer = await viewer.page.evaluate(
            """id => fetch("/operator/end", {
              method: "POST",
              headers: { "Content-Type": "application/json" },
              body: JSON.stringify({ session_id: id }),
            }).then((each) => each.status)""",
            pulpit.session_id,
        )
        assert answer == 403
        assert viewer.frames == []
        await pulpit.leave()
        await everybody.leave()


@asynccontextmanager
async def _hearing(speech: Pcm, path: Path) -> AsyncIterator[Browser]:
    """A Chromium whose microphone hears this once."""
    with wave.open(str(path), "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(RECORDING_RATE_HERTZ)
        audio.writeframes(speech.tobytes())
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            chromium_sandbox=False,
            args=[
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-audio-capture={path}%noloop",
            ],
        )
        try:
            yield chromium
        finally:
            await chromium.close()


async def test_what_an_operators_browser_hears_is_read_in_spanish_on_a_phone(
    stack: UpStack, tmp_path: Path
) -> None:
    require_chromium()
    links = await _printed_links(stack)
    # Chromium begins to play when the page begins to listen; the session begins a while later.
    speech = np.concatenate(
        [
            silence(4),
            with_pauses(
                spoken("There is bread on the table for everyone."),
                spoken("The children were singing in the house of the Lord."),
            ),
        ]
    )
    async with _hearing(speech, tmp_path / "speech.wav") as chromium:
        desk: Page = (
            await Reader.open(chromium, links["operator"], DESK, ignore_https_errors=True)
        ).page
        phone = await Reader.open(
            chromium, links["phones"], PHONE, locale="es-ES", ignore_https_errors=True
        )
        await desk.get_by_role("button", name="Listen to the microphone").click()
        await desk.get_by_label("Title").fill("By the browser")
        await desk.get_by_role("button", name="Start the session").click()
        await expect(desk.locator("#state")).to_have_text("live")
        await expect(
            phone.page.locator("article.segment .target:not(.partial):not(:empty)")
        ).to_have_count(2, timeout=40_000)
        await desk.get_by_role("button", name="Stop speaking").click()
        await expect(desk.locator("#microphone")).to_contain_text("The session is over")
        session_id = str(await desk.evaluate("new URL(location.href).searchParams.get('session')"))
        events = await stack.events(session_id)
        await phone.wait_finals("en", texts(events, "transcript"))
        await phone.wait_finals("es", texts(events, "translation"))
        spanish = " ".join(texts(events, "translation").values()).lower()
        assert {"mesa", "casa"} <= set(spanish.split())
        print(f"heard by the browser: {texts(events, 'transcript')}")
        assert not [event for event in events if event.HasField("audio_gap")]
