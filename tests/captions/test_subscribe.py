"""CaptionService.Subscribe: what a display gets, and gets again after an interruption."""

from __future__ import annotations

import asyncio
import signal

import aiohttp
import grpc

from glossa.gateway.v1 import gateway_pb2 as gateway
from services.errors import error_info, reason_of
from tests.captions.conftest import StartCaptions
from tests.captions.displays import sessions, subscribed
from tests.captions.upstream import ScriptedJournal, draft, dropped, final, partial, translated


async def test_a_late_joiner_gets_the_whole_session_and_then_what_comes(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    for number in range(1, 6):
        last = journal.say(number, f"sentence {number}", f"frase {number}")
    captions = await start_captions()
    async with subscribed(captions.address, session_id="sunday") as display:
        events = await display.until_caught_up()
        assert display.texts == [
            text for number in range(1, 6) for text in (f"sentence {number}", f"frase {number}")
        ]
        assert events[0].session_started.title == "A sermon"
        assert events[-1].caught_up.sequence == last + 1  # a score, which is not for displays
        assert {event.journal_id for event in events} == {"journal-1"}
        sequence = journal.say(6, "one more", "una más")
        await display.until_sequence(sequence)
        assert display.texts[-2:] == ["one more", "una más"]
        assert sum(event.HasField("caught_up") for event in display.events) == 1
        assert display.sequences == sorted(set(display.sequences))


async def test_a_reconnect_with_after_sequence_gets_exactly_what_it_missed(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(1, "one", "uno")
    captions = await start_captions()
    async with subscribed(captions.address, session_id="sunday") as display:
        await display.until_caught_up()
        seen = display.sequences[-1]
    journal.say(2, "two", "dos")
    last = journal.say(3, "three", "tres")
    async with subscribed(captions.address, session_id="sunday", after_sequence=seen) as display:
        await display.until_sequence(last)
        assert display.texts == ["two", "dos", "three", "tres"]


async def test_captions_carry_times_engines_and_what_their_text_cost(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.say(2, "grace and peace", "gracia y paz")
    last = journal.correct(2, "es", "la gracia y la paz")
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        await display.until_sequence(last)
    source, target, corrected = [e.caption for e in display.events if e.HasField("caption")]
    assert source.is_source
    assert (source.engine_ms, source.endpoint_offset_ms) == (120.0, 11_600)
    assert source.model == "pocketsphinx/en-us"
    assert (target.language, target.is_final, target.is_source) == ("es", True, False)
    assert (target.start_offset_ms, target.end_offset_ms) == (8000, 11_000)
    assert (target.engine_ms, target.endpoint_offset_ms) == (150.0, 11_600)
    assert corrected.is_corrected
    assert corrected.is_final
    assert corrected.stable_text == "la gracia y la paz"
    assert (corrected.revision, corrected.start_offset_ms) == (90, 8000)


async def test_partials_reach_displays_unless_they_are_old_news(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with (
        subscribed(captions.address) as display,
        subscribed(captions.address, finals_only=True) as printer,
    ):
        await display.until_caught_up()
        await printer.until_caught_up()
        journal.live(transcript=partial(1, 3, "in the", "begin"))
        await display.until(lambda event: event.caption.revision == 3)
        journal.live(transcript=partial(1, 2, "in", "the"))  # older than what is shown
        journal.live(translation=draft(1, 4, "en el principio"))
        await display.until(lambda event: event.caption.revision == 4)
        journal.append("sunday", transcript=final(1, "in the beginning"))
        journal.live(transcript=partial(1, 8, "in the beginning", "was"))  # after its final
        journal.live(transcript=partial(2, 1, "", "was"))
        await display.until(lambda event: event.caption.segment_id == 2)
        journal.live(segment_dropped=dropped(2))
        journal.live(transcript=partial(2, 1, "", "the"))  # the number is used again
        await display.until(lambda event: event.caption.unstable_text == "the")
        last = journal.append("sunday", translation=translated(1, "en el principio era"))
        await display.until_sequence(last)
        await printer.until_sequence(last)
    texts = ["in thebegin", "en el principio", "in the beginning", "was", "the"]
    assert [text for text in display.texts if text in texts] == display.texts[:-1]
    assert sum(event.HasField("caption_dropped") for event in display.events) == 1
    assert printer.texts == ["in the beginning", "en el principio era"]


async def test_what_is_not_for_displays_is_passed_over_and_resumed_past(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    journal.append("sunday", transcript=final(1, "in the beginning"))
    journal.append("sunday", segment_suppressed=gateway.SegmentSuppressed(text="Thank you."))
    last = journal.append("sunday", alternative_translation=translated(1, "otra"))
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        (*_, caught_up) = await display.until_caught_up()
    assert display.texts == ["in the beginning"]
    assert caught_up.caught_up.sequence == last
    async with subscribed(captions.address, after_sequence=last) as display:
        await display.until_caught_up()
        await display.until_sequence(
            journal.append("sunday", translation=translated(1, "en el principio"))
        )
    assert display.texts == ["en el principio"]


async def test_the_draft_of_a_text_that_is_never_translated_goes_in_its_language_alone(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session(targets=("es", "fr"))
    captions = await start_captions()
    async with (
        subscribed(captions.address) as display,
        subscribed(captions.address, languages=["fr"]) as french,
    ):
        await display.until_caught_up()
        await french.until_caught_up()
        journal.live(translation=draft(1, 4, "en el"))
        journal.live(translation=draft(1, 4, "au", "fr"))
        await french.until(lambda event: event.caption.language == "fr")
        failed = gateway.TranslationFailed(segment_id=1, language="es", reason="TEXT_TOO_LONG")
        sequence = journal.append("sunday", translation_failed=failed)
        await display.until_sequence(sequence)
        journal.live(translation=draft(1, 5, "au commencement", "fr"))
        await french.until(lambda event: event.caption.revision == 5)
    (dropped,) = [e.caption_dropped for e in display.events if e.HasField("caption_dropped")]
    assert (dropped.segment_id, dropped.language) == (1, "es")
    assert not any(event.HasField("caption_dropped") for event in french.events)
    async with subscribed(captions.address) as later:
        await later.until_caught_up()
        assert later.texts == ["au commencement"]


async def test_what_a_draft_will_keep_is_shown_as_stable(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        kept = draft(1, 4, "en el principio")
        kept.stable_text = "en el"
        journal.live(translation=kept)
        event = (await display.until(lambda event: event.caption.revision == 4))[-1]
    assert (event.caption.stable_text, event.caption.unstable_text) == ("en el", "principio")


async def test_a_display_that_joins_inside_a_sentence_sees_its_partial(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with subscribed(captions.address) as first:
        await first.until_caught_up()
        journal.live(transcript=partial(1, 3, "in the", " begin"))
        await first.until(lambda event: event.caption.revision == 3)
    async with subscribed(captions.address) as second:
        await second.until_caught_up()
        assert second.texts == ["in the begin"]


async def test_displays_get_the_session_and_the_languages_that_they_asked_for(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session("early", targets=("es-MX", "fr"))
    journal.start_session("late")
    journal.append("early", transcript=final(1, "early one"))
    journal.append("late", transcript=final(1, "late one"))
    journal.append("early", translation=translated(1, "mexicano", "es-MX"))
    journal.append("early", translation=translated(1, "français", "fr"))
    last = journal.append("late", translation=translated(1, "tarde", "es"))
    captions = await start_captions()
    async with subscribed(captions.address, languages=["es"]) as display:
        await display.until_sequence(last)
        assert display.texts == ["mexicano", "tarde"]
    async with subscribed(captions.address, session_id="early", languages=["FR", "en"]) as display:
        await display.until_caught_up()
        assert display.texts == ["early one", "français"]
        assert {event.session_id for event in display.events} == {"early"}
    assert [each.session_id for each in await sessions(captions.address)] == ["late", "early"]
    journal.end_session("late")
    async with subscribed(captions.address, session_id="late") as display:
        await display.until(lambda event: event.HasField("session_ended"))
    assert [each.is_live for each in await sessions(captions.address)] == [False, True]


async def test_unknown_sessions_and_sequences_of_the_future_are_refused(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions(unknown_wait_s=0.2)
    async with subscribed(captions.address, session_id="monday") as display:
        assert reason_of(await display.failure()) == "UNKNOWN_SESSION"
    async with subscribed(captions.address, after_sequence=99) as display:
        error = await display.failure()
        assert reason_of(error) == "SEQUENCE_AHEAD"
        assert error.code() == grpc.StatusCode.OUT_OF_RANGE


async def test_a_session_that_is_just_beginning_is_waited_for(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(unknown_wait_s=10)
    await journal.wait_followed()
    async with subscribed(captions.address, session_id="sunday") as display:
        caught_up = asyncio.create_task(display.until_caught_up())
        journal.start_session()
        events = await caught_up
        assert events[0].session_started.source_language == "en"


async def test_trimmed_history_names_the_oldest_sequence_that_is_left(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    sequences = [journal.append("sunday", transcript=final(n, f"line {n}")) for n in range(1, 31)]
    captions = await start_captions(session_event_limit=10)
    for after_sequence in (0, 5):
        async with subscribed(
            captions.address, session_id="sunday", after_sequence=after_sequence
        ) as display:
            error = await display.failure()
        assert reason_of(error) == "HISTORY_TRIMMED"
        assert error.code() == grpc.StatusCode.OUT_OF_RANGE
        info = error_info(error)
        assert info is not None
        oldest = int(info.metadata["oldest_sequence"])
        assert oldest == sequences[-10]
    async with subscribed(
        captions.address, session_id="sunday", after_sequence=oldest - 1
    ) as display:
        await display.until_caught_up()
        assert display.sequences == sequences[-10:]


async def test_old_sessions_make_room_for_new_ones(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    for number in range(6):
        journal.start_session(f"week-{number}")
        journal.say(1, f"sermon {number}", f"sermón {number}", session_id=f"week-{number}")
        journal.end_session(f"week-{number}")
    captions = await start_captions(session_limit=2, unknown_wait_s=0.1)
    listed = [each.session_id for each in await sessions(captions.address)]
    assert listed == ["week-5", "week-4"]
    async with subscribed(captions.address, languages=["es"]) as display:
        await display.until_caught_up()
        assert display.texts == ["sermón 4", "sermón 5"]
    async with subscribed(captions.address, after_sequence=1) as display:
        assert reason_of(await display.failure()) == "HISTORY_TRIMMED"
    async with subscribed(captions.address, session_id="week-1") as display:
        assert reason_of(await display.failure()) == "UNKNOWN_SESSION"


async def test_a_stop_ends_the_streams_with_shutting_down(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    journal.start_session()
    captions = await start_captions()
    async with subscribed(captions.address) as display:
        await display.until_caught_up()
        captions.signal(signal.SIGTERM)
        error = await display.failure()
    assert (error.code(), reason_of(error)) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert captions.stop() == 0


async def test_more_viewers_than_allowed_are_sent_elsewhere(
    journal: ScriptedJournal, start_captions: StartCaptions
) -> None:
    captions = await start_captions(viewer_limit=1)
    async with subscribed(captions.address) as first:
        await first.until_caught_up()
        async with subscribed(captions.address) as second:
            error = await second.failure()
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert reason_of(error) == "TOO_MANY_VIEWERS"
        async with aiohttp.ClientSession(captions.web) as http:  # type: ignore[attr-defined]
            async with http.ws_connect("/ws") as socket:
                assert (await socket.receive_json())["error"]["reason"] == "TOO_MANY_VIEWERS"
                await socket.receive()
                assert socket.close_code == 1013
            async with http.get("/events") as answer:
                told = await answer.text()
                assert told.startswith("event: error\n")
                assert "TOO_MANY_VIEWERS" in told
