"""Captions as an HLS playlist, read by FFmpeg's player."""

from __future__ import annotations

import asyncio

import av
import pytest

from glossa.gateway.v1 import gateway_pb2 as gateway
from tests.captions.browsers import displayed
from tests.captions.conftest import StartCaptions
from tests.captions.test_transcripts import asked, hide, refusal, saved
from tests.captions.upstream import ScriptedJournal, final, translated
from tests.processes import ServiceProcess


def played(url: str) -> dict[tuple[int, int], str]:
    """The cues of a playlist that has ended; those that span two pieces stand in both."""
    with av.open(url) as container:
        assert container.format.name == "hls"
        return {
            (packet.pts, packet.duration): bytes(packet).decode()
            for packet in container.demux()
            if packet.size
        }


async def pieces(captions: ServiceProcess, query: str = "") -> list[str]:
    playlist = await saved(captions, f"sunday/live.m3u8{query}")
    return [line for line in playlist.splitlines() if not line.startswith("#")]


async def listed_pieces(captions: ServiceProcess, count: int) -> list[str]:
    """Waits until at least so many are listed."""
    async with asyncio.timeout(15):
        while len(listed := await pieces(captions, "?language=es")) < count:
            await asyncio.sleep(0.02)
    return listed


async def test_a_player_reads_every_cue_once_it_is_over(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number in range(1, 8):  # one every 4 s, 3 s long; pieces last 6 s
        journal.say(number, f"line {number}", f"línea {number} & <b>")
    hide(journal, 3)
    journal.end_session()
    captions = await start_captions()
    url = f"{captions.web}/sessions/sunday/live.m3u8"
    read = await asyncio.to_thread(played, f"{url}?language=es&offset=1")
    assert read == {
        (4000 * number + 1000, 3000): f"línea {number} &amp; &lt;b&gt;"
        for number in (1, 2, 4, 5, 6, 7)
    }
    _, _, headers = await asked(captions, "sunday/live.m3u8")
    assert headers["Content-Type"] == "application/vnd.apple.mpegurl; charset=utf-8"


async def test_the_list_grows_by_pieces_to_which_nothing_will_be_added(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    assert await pieces(captions) == []
    for number in (1, 2, 3):  # the newest begins at 12 s
        journal.say(number, f"line {number}", f"línea {number}")
    listed = await listed_pieces(captions, 2)
    assert listed == ["live/0.vtt?language=es", "live/1.vtt?language=es"]
    assert "#EXT-X-ENDLIST" not in await saved(captions, "sunday/live.m3u8")
    first = await saved(captions, f"sunday/{listed[0]}")
    assert first == (
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n"
        "\n1\n00:00:04.000 --> 00:00:07.000\nlínea 1\n\n"
    )
    second = await saved(captions, f"sunday/{listed[1]}")
    assert "línea 1" in second  # until 7 s
    assert "línea 2" in second
    assert await refusal(captions, "sunday/live/2.vtt") == (404, "UNKNOWN_PIECE")
    assert await refusal(captions, "sunday/live.m3u8?language=de") == (404, "UNKNOWN_LANGUAGE")


async def test_a_translation_that_was_overtaken_is_waited_for(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number in (1, 2, 3):  # they begin at 4, 8 and 12 s
        journal.append("sunday", transcript=final(number, f"line {number}"))
    last = journal.append("sunday", translation=translated(3, "línea 3"))
    captions = await start_captions()
    async with displayed(captions, "websocket", session_id="sunday") as display:
        await display.until_sequence(last)
        assert await pieces(captions, "?language=es") == []
        failed = gateway.TranslationFailed(segment_id=2, language="es", reason="REFUSED")
        await display.until_sequence(journal.append("sunday", translation_failed=failed))
        assert await pieces(captions, "?language=es") == []
        await display.until_sequence(journal.append("sunday", translation=translated(1, "línea 1")))
    assert len(await pieces(captions, "?language=es")) == 2


@pytest.mark.parametrize("path", ["monday/live.m3u8", "monday/live/0.vtt"])
async def test_an_unknown_session_has_no_list(
    journal: ScriptedJournal, start_captions: StartCaptions, path: str
) -> None:
    assert await refusal(await start_captions(), path) == (404, "UNKNOWN_SESSION")
