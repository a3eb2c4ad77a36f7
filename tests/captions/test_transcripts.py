"""Files of a session over HTTP: from memory, from the journal, as people left the texts."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.transcripts import journal as transcripts_journal
from services.captions.web.transcripts import TranscriptApi
from services.settings import port
from services.web import application
from tests.captions.conftest import StartCaptions
from tests.captions.displays import subscribed
from tests.captions.subtitle_files import read_subtitles
from tests.captions.upstream import ScriptedJournal, final, translated
from tests.processes import ServiceProcess

ENDINGS = ("vtt", "srt", "txt", "json")


async def saved(captions: ServiceProcess, path: str) -> str:
    status, text, _ = await asked(captions, path)
    assert status == 200, text
    return text


async def asked(captions: ServiceProcess, path: str) -> tuple[int, str, Any]:
    url = f"{captions.web}/sessions/{path}"  # type: ignore[attr-defined]
    async with aiohttp.ClientSession() as http, http.get(url) as answer:
        return answer.status, await answer.text(), answer.headers


async def refusal(captions: ServiceProcess, path: str) -> tuple[int, str]:
    status, text, _ = await asked(captions, path)
    return status, json.loads(text)["error"]["reason"]


def say_with_words(journal: ScriptedJournal, segment_id: int, text: str) -> None:
    """A final whose words were heard one every 500 ms."""
    transcript = final(segment_id, text)
    for index, word in enumerate(text.split()):
        start_ms = transcript.start_offset_ms + 500 * index
        transcript.words.add(
            text=word, start_offset_ms=start_ms, end_offset_ms=start_ms + 400, probability=0.5
        )
    journal.append("sunday", transcript=transcript)


def hide(journal: ScriptedJournal, segment_id: int, *, is_hidden: bool = True) -> int:
    hidden = gateway.SegmentHidden(segment_id=segment_id, is_hidden=is_hidden)
    return journal.append("sunday", segment_hidden=hidden)


def a_service(journal: ScriptedJournal) -> None:
    """Three sentences: one was corrected, one is hidden, one was hidden and is shown again."""
    journal.start_session(title='Harvest: "joy" / ../día')
    for number, (english, spanish) in enumerate(
        [("Grace to you.", "Gracia."), ("Never mind.", "No importa."), ("Go in peace.", "Id.")], 1
    ):
        say_with_words(journal, number, english)
        journal.append("sunday", translation=translated(number, spanish))
    journal.correct(1, "es", "Gracia a vosotros.")
    journal.correct(3, "en", "Go forth in peace.")
    hide(journal, 2)
    hide(journal, 3)
    hide(journal, 3, is_hidden=False)


async def test_each_kind_of_file_holds_what_people_left_and_nothing_hidden(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    captions = await start_captions()
    vtt = read_subtitles(await saved(captions, "sunday/captions.vtt?language=es"), "vtt")
    srt = read_subtitles(await saved(captions, "sunday/captions.srt?language=es"), "srt")
    assert vtt == srt
    assert [(each.start_ms, each.end_ms, each.lines) for each in vtt] == [
        (4000, 7000, ("Gracia a vosotros.",)),
        (12_000, 15_000, ("Id.",)),
    ]
    both = await saved(captions, "sunday/captions.vtt?language=es&second=en")
    assert [each.lines for each in read_subtitles(both, "vtt")] == [
        ("Gracia a vosotros.", "Grace to you."),
        ("Id.", "Go forth in peace."),
    ]
    text = await saved(captions, "sunday/captions.txt?language=en")
    title, *paragraphs = text.split("\n\n")
    assert title.startswith('Harvest: "joy" / ../día\n2026-')
    assert paragraphs == ["Grace to you.", "Go forth in peace.\n"]  # five seconds lie between
    text = await saved(captions, "sunday/captions.txt?language=es&second=en")
    assert text.split("\n\n")[1:] == [
        "Gracia a vosotros.\nGrace to you.",
        "Id.\nGo forth in peace.\n",
    ]
    for ending in ENDINGS:
        for source in ("", "&words=1") if ending in ("vtt", "json") else ("",):
            content = await saved(captions, f"sunday/captions.{ending}?language=en{source}")
            assert "mind" not in content
            assert "Grace" in content


async def test_sentences_without_a_pause_are_one_paragraph(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number in (1, 2, 3, 8, 9):  # 4 s apart, 3 s long
        journal.append("sunday", transcript=final(number, f"Sentence {number}."))
    captions = await start_captions()
    text = await saved(captions, "sunday/captions.txt?language=en")
    assert text.split("\n\n")[1:] == [
        "Sentence 1. Sentence 2. Sentence 3.",
        "Sentence 8. Sentence 9.\n",
    ]


async def test_json_has_every_language_and_the_words_that_were_heard(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    captions = await start_captions()
    plain = json.loads(await saved(captions, "sunday/captions.json"))
    assert plain["session"].pop("start_time").startswith("2026-")
    assert plain["session"] == {
        "session_id": "sunday",
        "title": 'Harvest: "joy" / ../día',
        "source_language": "en",
        "target_languages": ["es"],
        "is_live": True,
    }
    first, third = plain["segments"]
    assert (first["segment_id"], third["segment_id"]) == (1, 3)
    assert (first["start_offset_ms"], first["end_offset_ms"]) == (4000, 7000)
    assert sorted(first["texts"], key=lambda each: each["language"]) == [
        {"language": "en", "text": "Grace to you.", "is_source": True, "is_corrected": False},
        {"language": "es", "text": "Gracia a vosotros.", "is_source": False, "is_corrected": True},
    ]
    timed = json.loads(await saved(captions, "sunday/captions.json?language=en&words=1"))
    (english,) = timed["segments"][1]["texts"]
    assert english["is_corrected"]
    assert [each["text"] for each in english["words"]] == ["Go", "forth", "in", "peace."]
    assert english["words"][0] == {
        "text": "Go",
        "start_offset_ms": 12_000,
        "end_offset_ms": 12_400,
        "probability": 0.5,
    }
    assert [each["start_offset_ms"] for each in english["words"]] == [
        12_000,
        12_400,  # nobody heard it: it lies between its neighbours
        12_500,
        13_000,
    ]
    assert english["words"][1]["probability"] is None


async def test_word_times_stand_in_vtt(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    captions = await start_captions()
    content = await saved(captions, "sunday/captions.vtt?words=1")  # the language spoken
    assert "Grace <00:00:04.500>to <00:00:05.000>you." in content
    moved = await saved(captions, "sunday/captions.vtt?words=1&offset=-0:00:03.5")
    assert "00:00:00.500 --> 00:00:03.500\nGrace <00:00:01.000>to <00:00:01.500>you." in moved


async def test_a_killed_captions_gives_the_same_files(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    journal.end_session()
    paths = [f"sunday/captions.{ending}?language=es" for ending in ENDINGS]
    paths += ["sunday/captions.vtt?language=es&second=en", "sunday/captions.json?words=1"]
    captions = await start_captions()
    before = [await saved(captions, path) for path in paths]
    captions.kill()
    captions.start()
    await captions.wait_ready()
    assert [await saved(captions, path) for path in paths] == before
    relay = await start_captions(upstream_kind="captions", upstream_address=captions.address)
    assert [await saved(relay, path) for path in paths[:5]] == before[:5]
    assert await refusal(relay, paths[5]) == (409, "NO_GATEWAY")  # only the journal has words


async def test_a_session_that_left_the_memory_comes_from_the_journal_as_it_was(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    journal.end_session()
    captions = await start_captions(session_limit=1)
    paths = [f"sunday/captions.{ending}?language=es" for ending in ENDINGS]
    paths.append("sunday/captions.json?words=1")
    before = [await saved(captions, path) for path in paths]
    assert not any(request.session_id for request in journal.requests[:1])
    journal.start_session("monday")
    async with asyncio.timeout(15), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{captions.web}/sessions") as answer:
                listed = [each["session_id"] for each in (await answer.json())["sessions"]]
            if listed == ["monday"]:
                break
            await asyncio.sleep(0.02)
    assert [await saved(captions, path) for path in paths] == before
    assert journal.requests[-1].session_id == "sunday"
    assert journal.requests[-1].until_now


async def test_a_session_longer_than_the_memory_is_whole(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number in range(1, 31):
        journal.say(number, f"line {number}", f"línea {number}")
    captions = await start_captions(session_event_limit=10)
    read = read_subtitles(await saved(captions, "sunday/captions.srt?language=es"), "srt")
    assert [each.lines for each in read] == [(f"línea {number}",) for number in range(1, 31)]


async def test_a_forgotten_session_has_no_files(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    captions = await start_captions()
    for ending in ENDINGS:
        await saved(captions, f"sunday/captions.{ending}")  # they may be kept
    journal.events = [each for each in journal.events if each.session_id != "sunday"]
    journal.events += [gateway.JournalEvent(session_id="other", sequence=0)] * 30
    journal.append("sunday", session_forgotten=gateway.SessionForgotten())
    async with asyncio.timeout(15):
        while (await asked(captions, "sunday/captions.vtt"))[0] != 404:
            await asyncio.sleep(0.02)
    for ending in ENDINGS:
        assert await refusal(captions, f"sunday/captions.{ending}") == (404, "UNKNOWN_SESSION")
    assert await refusal(captions, "sunday/captions.json?words=1") == (404, "UNKNOWN_SESSION")


async def test_a_transcript_of_as_many_texts_as_it_may_have_is_saved_and_one_more_is_not(
    journal: ScriptedJournal, base: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts_journal, "_TEXTS_LIMIT", 20)
    relay, settings = Relay(following(base)), following(base)
    app = application(body_limit_bytes=1)
    app.router.add_routes(TranscriptApi(relay, settings).routes())
    journal.start_session()
    for number in range(1, 11):
        journal.say(number, f"Sentence {number}.", f"Frase {number}.")
    journal.correct(10, "es", "Frase última.")  # is the same text, put right
    path = "/sessions/sunday/captions.json?words=1"
    server = TestServer(app, port=settings.web_port)
    async with server, aiohttp.ClientSession(server.make_url("")) as http:
        follower = asyncio.create_task(relay.run())
        async with http.get(path) as answer:
            assert answer.status == 200
            assert len((await answer.json())["segments"]) == 10
        journal.append("sunday", transcript=final(11, "One too many."))
        async with http.get(path) as answer:
            assert answer.status == 416
            assert (await answer.json())["error"]["reason"] == "TRANSCRIPT_TOO_LONG"
        follower.cancel()


def following(base: int) -> CaptionsSettings:
    address = f"127.0.0.1:{port('gateway', base)}"
    return CaptionsSettings(upstream_address=address, web_port=port("captions_web", base))


async def test_files_are_named_by_title_date_and_language(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    captions = await start_captions()
    _, _, headers = await asked(captions, "sunday/captions.srt?language=es&second=en")
    named = headers["Content-Disposition"]
    date = headers["Content-Disposition"].split("-d_a-")[1][:10]
    assert date.startswith("2026-11-")
    assert named == (
        f'attachment; filename="Harvest-joy-d_a-{date}.es-en.srt"; '
        f"filename*=UTF-8''Harvest-joy-d%C3%ADa-{date}.es-en.srt"
    )
    assert headers["Cache-Control"] == "no-store"
    types_by_ending = {}
    for ending in ENDINGS:
        _, _, headers = await asked(captions, f"sunday/captions.{ending}")
        types_by_ending[ending] = headers["Content-Type"]
    assert types_by_ending == {
        "vtt": "text/vtt; charset=utf-8",
        "srt": "application/x-subrip; charset=utf-8",
        "txt": "text/plain; charset=utf-8",
        "json": "application/json; charset=utf-8",
    }


WRONG_REQUESTS = (
    ("sunday/captions.vtt?language=de", 404, "UNKNOWN_LANGUAGE"),
    ("sunday/captions.vtt?language=es&second=xx", 404, "UNKNOWN_LANGUAGE"),
    ("sunday/captions.vtt?language=" + "x" * 4000, 404, "UNKNOWN_LANGUAGE"),
    ("sunday/captions.vtt?language=es&second=es", 400, "INVALID_REQUEST"),
    ("sunday/captions.vtt?words=yes", 400, "INVALID_REQUEST"),
    ("sunday/captions.srt?words=1", 400, "INVALID_REQUEST"),
    ("sunday/captions.vtt?language=es&words=1", 400, "INVALID_REQUEST"),
    ("sunday/captions.vtt?offset=1:x", 400, "INVALID_REQUEST"),
    ("sunday/captions.vtt?offset=999:00:00", 400, "INVALID_REQUEST"),
    ("sunday/captions.txt?offset=5", 400, "INVALID_REQUEST"),
    ("sunday/captions.exe", 404, "NOT_FOUND"),
    ("monday/captions.vtt", 404, "UNKNOWN_SESSION"),
    ("%2e%2e%2fetc/captions.vtt", 404, "UNKNOWN_SESSION"),
    ("%00%0a/captions.json?words=1", 404, "UNKNOWN_SESSION"),
    ("y" * 5000 + "/captions.vtt", 404, "UNKNOWN_SESSION"),
)


async def test_a_wrong_request_is_told_what_is_wrong(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    captions = await start_captions()
    for path, status, reason in WRONG_REQUESTS:
        assert await refusal(captions, path) == (status, reason), path[:80]


async def test_a_gateway_that_is_away_is_said_and_memory_still_serves(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    a_service(journal)
    captions = await start_captions()
    await saved(captions, "sunday/captions.json")
    await journal.stop()
    assert await refusal(captions, "sunday/captions.json?words=1") == (503, "GATEWAY_UNAVAILABLE")
    assert await refusal(captions, "monday/captions.json") == (503, "GATEWAY_UNAVAILABLE")
    assert "Gracia" in await saved(captions, "sunday/captions.vtt")


async def test_many_people_saving_at_once_all_get_their_file(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number in range(1, 301):
        journal.say(number, f"line {number} of the sermon", f"línea {number} del sermón")
    captions = await start_captions()
    path = "sunday/captions.vtt?language=es"
    expected = await saved(captions, path)
    assert expected.count("-->") == 300
    answers = await asyncio.gather(*(saved(captions, path) for _ in range(200)))
    assert set(answers) == {expected}


async def test_no_file_of_a_journal_is_given_out_for_the_one_that_replaced_it(
    base: int, journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "old words", "palabras viejas")
    captions = await start_captions()
    assert "viejas" in await saved(captions, "sunday/captions.txt")
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        await journal.stop()
        replaced = ScriptedJournal("journal-2")
        replaced.start_session()
        last = replaced.say(1, "new words", "palabras nuevas")
        await replaced.serve(f"127.0.0.1:{port('gateway', base)}")
        assert (await display.failure()).code()
    async with subscribed(captions.address) as display:
        await display.until_sequence(last)
    assert "nuevas" in await saved(captions, "sunday/captions.txt")
    await replaced.stop()
