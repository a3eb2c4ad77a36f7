"""The pages over a whole running stack: real speech, killed services, and an operator at work."""

from __future__ import annotations

import asyncio
import json
import statistics
import wave
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from cli.client import SpeakerClient
from cli.spoken import SAMPLE_TEXT
from cli.spoken import speak as speak_aloud
from glossa.gateway.v1 import gateway_pb2
from services.audio import SAMPLE_RATE_HERTZ
from tests.e2e.pulpit import Pulpit
from tests.e2e.readers import PHONE, Congregation, Reader
from tests.e2e.stack import UpStack, speak, texts
from tests.speech import Pcm
from tests.web.browser import browser, require_chromium
from tests.web.desk_page import DeskPage

pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]

PAINTED_WITHIN_MS = 100


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UpStack]:
    stack = UpStack(tmp_path_factory.mktemp("stack"))
    await stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    require_chromium()
    async with browser() as chromium:
        yield chromium


@pytest_asyncio.fixture(loop_scope="module")
async def congregation(stack: UpStack, chromium: Browser) -> AsyncIterator[Congregation]:
    everybody = await Congregation.gather(chromium, stack.page_url)
    yield everybody
    await everybody.leave()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sermon(tmp_path_factory: pytest.TempPathFactory) -> Pcm:
    path = tmp_path_factory.mktemp("sermon") / "sermon.wav"
    await speak_aloud(SAMPLE_TEXT.read_text("utf-8"), path)
    with wave.open(str(path)) as audio:
        return np.frombuffer(audio.readframes(audio.getnframes()), dtype=np.int16)


async def test_a_sermon_reaches_every_page_whole_though_captions_and_the_gateway_die(
    stack: UpStack, sermon: Pcm, congregation: Congregation, tmp_path: Path
) -> None:
    speaker = stack.speaker(speed=1, title="The sample sermon")
    speaking = asyncio.create_task(speak(speaker, sermon))
    for victim, share in (("captions", 0.3), ("gateway", 0.6)):
        await _spoken(speaker, share * len(sermon) / SAMPLE_RATE_HERTZ)
        assert not speaking.done(), f"the session ended before {victim} was killed"
        connected = [reader.connection_count for reader in congregation]
        await stack.kill_service(victim)
        for reader, count in zip(congregation, connected, strict=True):
            await reader.wait_connected_again(count)
    closed = await speaking
    events = await stack.events(closed.session_id)
    journal = {"en": texts(events, "transcript"), "es": texts(events, "translation")}
    assert sorted(journal["en"]) == sorted(journal["es"]) == list(range(1, closed.final_count + 1))

    for language, expected in journal.items():
        await congregation.wait_finals(language, expected)
    for reader in (congregation.phone, congregation.english_phone):
        sent = Counter(
            (each["segment_id"], each["language"]) for each in reader.captions() if each["is_final"]
        )
        assert set(sent.values()) == {1}, "a final was sent again"
    await _expect_partials_before_finals(congregation.phone, journal["en"], "en")
    await _expect_partials_before_finals(congregation.english_phone, journal["en"], "en")

    await _expect_quick_paints(congregation.phone)
    await _expect_files(stack, congregation.phone, journal)
    await _expect_readability(stack, closed.session_id, tmp_path)


async def _journal(stack: UpStack, session_id: str, count: int) -> dict[str, dict[int, str]]:
    found = await stack.finals(session_id, count)
    return {"en": found["transcript"], "es": found["translation"]}


async def _spoken(speaker: SpeakerClient, until_s: float) -> None:
    while speaker.sent_s < until_s:
        await asyncio.sleep(0.05)


async def _expect_partials_before_finals(
    reader: Reader, finals: dict[int, str], language: str
) -> None:
    """Words come while they are said, give way to a final, and never come back after it."""
    shown = await reader.shown(language)
    grown = 0
    for segment_id, text in finals.items():
        steps = [each for each in shown if each.segment_id == segment_id]
        assert [each.text for each in steps if not each.is_partial] == [text]
        assert not steps[-1].is_partial, "a partial came after its final"
        grown += len(steps) > 1
    print(f"{grown} of {len(finals)} lines grew on {reader.page.url}")
    # A killed service takes the partials of the sentence that was being said with it.
    assert grown >= len(finals) / 2


async def _expect_quick_paints(reader: Reader) -> None:
    paints_ms: list[float] = await reader.page.evaluate("window.paintsMs")
    median_ms = statistics.median(paints_ms)
    p95_ms = statistics.quantiles(paints_ms, n=20)[-1]
    print(
        f"paint after receipt: median {median_ms:.1f} ms, p95 {p95_ms:.1f} ms, {len(paints_ms)} of "
        f"them"
    )
    assert median_ms < PAINTED_WITHIN_MS


async def _expect_files(stack: UpStack, reader: Reader, journal: dict[str, dict[int, str]]) -> None:
    """The phone's downloads are those of the verb, and both are the journal."""
    wanted = {
        "Text, Español (TXT)": ("--format", "txt", "--language", "es"),
        "Text, Español and English (TXT)": (
            *("--format", "txt", "--language", "es"),
            *("--second", "en"),
        ),
        "Subtitles, Español (VTT)": ("--format", "vtt", "--language", "es"),
        "Subtitles, Español (SRT)": ("--format", "srt", "--language", "es"),
        "Everything, for programs (JSON)": ("--format", "json"),
    }
    await reader.page.locator("#open-sheet").click()
    links = reader.page.locator("#download-links a")
    await expect(links).to_have_count(len(wanted))
    for link in await links.all():
        name = await link.inner_text()
        async with reader.page.expect_download() as download:
            await link.click()
        text = (await (await download.value).path()).read_text("utf-8")
        assert text == await stack.verb("export", "last", *wanted[name]), name
        if name.endswith("(JSON)"):
            found: dict[str, dict[int, str]] = {"en": {}, "es": {}}
            for segment in json.loads(text)["segments"]:
                for each in segment["texts"]:
                    found[each["language"]][segment["segment_id"]] = each["text"]
            assert found == journal
    await reader.page.locator("#close-sheet").click()


async def _expect_readability(stack: UpStack, session_id: str, folder: Path) -> None:
    report = json.loads(await stack.verb("report", "last", "--json", "--out", str(folder)))
    assert report["session"]["session_id"] == session_id
    flicker, reading = report["flicker"], report["reading"]["by_language"]
    print(f"flicker {flicker}, reading {reading}")
    for language in ("en", "es"):
        assert 0 <= flicker[language]["normalised_erasure"] < 5
        assert flicker[language]["final_words"] > 50
        assert 20 < reading[language]["p50_wpm"] < 400


async def test_what_an_operator_does_is_seen_on_every_page(
    stack: UpStack, chromium: Browser, congregation: Congregation
) -> None:
    pulpit = Pulpit(stack.speaker(speed=0, title="With an operator"))
    await pulpit.say("There is bread on the table.", "He walked along the road.")
    await pulpit.say("The night was dark and the wind was very strong.")
    journal = await _journal(stack, pulpit.session_id, 3)
    first, second, third = (journal["es"][number] for number in (1, 2, 3))
    desk = DeskPage(congregation.desk.page, stack.page_url)
    public = [congregation.phone, congregation.hall, congregation.stream]
    everybody = [*public, congregation.english_phone]
    for reader in public:
        await reader.wait_standing("es", third, is_there=True)

    await desk.correct(1, "es", "El pan está en la mesa.")
    for reader in (*public, congregation.comparison):
        await reader.wait_standing("es", "El pan está en la mesa.", is_there=True)
        assert first not in await reader.standing_text("es")

    await desk.page.get_by_role("button", name="Hide the line").nth(1).click()
    await desk.expect_outcome("The line is hidden from all screens.")
    for reader in public:
        await reader.wait_standing("es", second, is_there=False)
    await congregation.english_phone.wait_standing("en", journal["en"][2], is_there=False)
    late = await Reader.open(chromium, stack.page_url, PHONE, locale="es")
    await late.wait_standing("es", third, is_there=True)
    received = "".join(late.frames)
    assert third in received
    for hidden in (second, journal["en"][2]):
        assert hidden not in received
    await late.close()

    await desk.page.get_by_label("Announcement", exact=True).fill("Lunch is at noon.")
    await desk.page.get_by_label("Announcement", exact=True).press("Enter")
    await desk.page.get_by_role("button", name="Blank all screens").click()
    for reader in everybody:
        await expect(reader.page.locator("#announcement")).to_have_text("Lunch is at noon.")
        await expect(reader.page.locator("#announcement")).to_be_visible()
        for line in await reader.page.locator("article.segment, .rows > .line").all():
            await expect(line).to_be_hidden()
    await desk.page.get_by_role("button", name="Show captions again").click()
    await desk.page.get_by_role("button", name="Take it away").click()
    for reader in everybody:
        await expect(reader.page.locator("#announcement")).to_be_hidden()
        line = reader.page.locator("article.segment, .rows > .line").last
        await expect(line).to_be_visible()

    await desk.page.get_by_role("button", name="Hold").click()
    await expect(congregation.phone.page.locator("#status")).to_have_text("on hold")
    await expect(congregation.hall.page.locator("#sign")).to_contain_text("paused")
    await pulpit.say("Nobody shall read these words about the elephant.")
    await desk.page.get_by_role("button", name="Go on").click()
    await expect(congregation.phone.page.locator("#status")).to_have_text("live")
    await expect(congregation.hall.page.locator("#sign")).to_be_hidden()
    await pulpit.say("The children were singing in the house.")
    journal = await _journal(stack, pulpit.session_id, 4)
    assert "elephant" not in " ".join(journal["en"].values())
    last = max(journal["es"])
    for reader in public:
        await reader.wait_standing("es", journal["es"][last], is_there=True)

    await desk.page.get_by_role("button", name="Reset the buffer").click()
    await desk.confirm("Reset the buffer")
    for reader in (congregation.hall, congregation.stream):
        await reader.wait_standing("es", journal["es"][last], is_there=False)
        assert await reader.standing_text("es") == ""
    await expect(congregation.phone.page.locator("hr.reset")).to_be_visible()
    assert third in await congregation.phone.standing_text("es")
    await pulpit.say("We give thanks for the water and for the light.")
    journal = await _journal(stack, pulpit.session_id, 5)
    for reader in public:
        await reader.wait_standing("es", journal["es"][max(journal["es"])], is_there=True)
    assert third not in await congregation.hall.standing_text("es")

    await desk.page.get_by_role("button", name="End the session").click()
    await desk.confirm("End the session")
    for reader in (congregation.phone, congregation.english_phone):
        await expect(reader.page.locator("#status")).to_have_text("ended")
    await expect(desk.state).to_have_text("ended")
    await pulpit.leave()
    events = await stack.events(pulpit.session_id)
    [ended] = [each.session_ended for each in events if each.HasField("session_ended")]
    assert ended.reason == gateway_pb2.END_REASON_OPERATOR
    for reader in congregation:
        assert reader.record.problems == []
