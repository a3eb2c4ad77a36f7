"""The collector as a process: what it collects, from whom, and what it says about it."""

from __future__ import annotations

import grpc
import pytest

from glossa.collector.v1 import collector_pb2
from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.collector.pair_keys import ERASE_KEY
from services.errors import reason_of
from tests.collector.conftest import Stack, until
from tests.collector.upstream import (
    SCORED_AT_S,
    Upstream,
    pair_reviewed,
    pair_scored,
    reviewed_sermon,
    sermon,
    session_ended,
    transcript,
)

ACCEPT = collector_pb2.BAND_ACCEPT
ALL_BANDS = (
    collector_pb2.BAND_ACCEPT,
    collector_pb2.BAND_MODERATE,
    collector_pb2.BAND_REVIEW,
    collector_pb2.BAND_REJECT,
)


async def test_collects_the_backlog_and_goes_on_live(stack: Stack) -> None:
    stack.upstream.add(sermon(range(1, 21)))
    await stack.start()
    await stack.caught_up()
    stack.upstream.add(sermon(range(21, 31)))
    await stack.caught_up()
    stack.assert_each_pair_once()
    assert len(stack.collected()) == 24


async def test_translations_of_a_second_mt_and_suppressed_segments_are_no_pairs(
    stack: Stack,
) -> None:
    translation = types_pb2.Translation(segment_id=1, language="es", is_final=True, text="otra")
    suppressed = gateway_pb2.SegmentSuppressed(reason="phantom", text="Thank you.")
    others = [
        gateway_pb2.JournalEvent(session_id="session-a", segment_suppressed=suppressed),
        gateway_pb2.JournalEvent(session_id="session-a", alternative_translation=translation),
    ]
    stack.upstream.add([*others, pair_scored(1), *others, session_ended()])
    await stack.start()
    await stack.caught_up()
    assert stack.collected() == {"session-a/1/es": 1}
    stack.upstream.add(others)
    await until(lambda: stack.cursor() == stack.upstream.last_sequence)


async def test_stats_tell_bands_exclusions_and_the_cursor_of_all_and_of_one_session(
    stack: Stack,
) -> None:
    stack.upstream.add([*sermon(range(1, 11)), *sermon(range(1, 6), "session-b")])
    await stack.start()
    await stack.caught_up()
    every = await stack.stats()
    assert every.journal_id == "journal-1"
    assert every.cursor_sequence == stack.upstream.last_sequence
    assert {count.band: count.pair_count for count in every.counts} == {
        collector_pb2.BAND_ACCEPT: 3,
        collector_pb2.BAND_MODERATE: 3,
        collector_pb2.BAND_REVIEW: 3,
        collector_pb2.BAND_REJECT: 3,
        collector_pb2.BAND_CORRECTED: 0,
        collector_pb2.BAND_EXCLUDED: 3,
    }
    assert [(item.reason, item.pair_count) for item in every.exclusions] == [("too_few_words", 3)]
    one = await stack.stats("session-b")
    assert [count.pair_count for count in one.counts] == [1, 1, 1, 1, 0, 1]
    assert [count.queue_length for count in one.counts] == [3, 3, 3, 3, 0, 0]
    unknown = await stack.stats("session-x")
    assert [count.pair_count for count in unknown.counts] == [0, 0, 0, 0, 0, 0]
    waiting = [stats.open_review_count for stats in (every, one, unknown)]
    assert waiting == [6, 2, 0]


async def test_exports_a_pair_with_everything_that_is_known_of_it(stack: Stack) -> None:
    signals = {"translation_qe": 0.9, "marian_agreement": 0.9, "back_translation": None}
    stack.upstream.add([pair_scored(3, signals=signals)])
    await stack.start()
    await stack.caught_up()
    (pair,) = await stack.export(ACCEPT)
    assert pair.pair_id == "session-a/3/es"
    assert (pair.band, pair.session_id, pair.segment_id) == (ACCEPT, "session-a", 3)
    assert (pair.source_language, pair.target_language) == ("en", "es")
    assert pair.source_text == "The river stands at the edge of the field"
    assert pair.target_text == "El río está en la orilla del campo abierto"
    assert pair.stt_confidence == pytest.approx(0.924142, abs=1e-6)
    assert pair.quality_score == pytest.approx(0.65 * 0.9 + 0.35 * pair.stt_confidence, abs=1e-6)
    assert (pair.translation_qe, pair.marian_agreement) == (0.9, 0.9)
    assert [signal.name for signal in pair.signals] == list(signals)
    assert [signal.HasField("value") for signal in pair.signals] == [True, True, False]
    assert pair.time.seconds == SCORED_AT_S + 1
    assert (pair.stt_model, pair.mt_model) == ("rule/stt", "rule/mt")
    assert (pair.start_offset_ms, pair.end_offset_ms, pair.sequence) == (3000, 3900, 1)


async def test_flags_terms_caps_and_the_calibration_come_along(stack: Stack) -> None:
    event = pair_scored(3)
    scored = event.pair_scored
    scored.transcript.flags.append("low_confidence")
    scored.translation.flags.append("missing_term")
    scored.translation.missing_terms.add(source="grace", target="gracia")
    stack.upstream.add([event])
    await stack.start()
    await stack.caught_up()
    (pair,) = await stack.export(collector_pb2.BAND_MODERATE)
    assert list(pair.flags) == ["low_confidence", "missing_term"]
    assert [(term.source, term.target) for term in pair.missing_terms] == [("grace", "gracia")]
    assert list(pair.caps) == ["missing_term", "doubtful_speech"]
    assert pair.calibration == ""
    assert (pair.avg_logprob, pair.no_speech_prob, pair.compression_ratio) == (-0.05, 0.1, 1.2)
    assert pair.decision == types_pb2.DECISION_UNSPECIFIED


async def test_exports_what_people_decided(stack: Stack) -> None:
    doubtful = {"heuristic_quality": 0.4}
    pairs = [pair_scored(number, signals=doubtful) for number in (1, 2, 3, 4)]
    stack.upstream.add(pairs)
    stack.upstream.add(
        [
            pair_reviewed(pairs[0], types_pb2.DECISION_ACCEPTED),
            pair_reviewed(pairs[0], types_pb2.DECISION_FIXED, revision=2),
            pair_reviewed(pairs[1], types_pb2.DECISION_REJECTED),
            pair_reviewed(pairs[2], types_pb2.DECISION_FIXED),
            pair_reviewed(pairs[2], types_pb2.DECISION_WITHDRAWN, revision=2),
        ]
    )
    await stack.start()
    await stack.caught_up()
    fixed, rejected = await stack.export(collector_pb2.BAND_CORRECTED)
    assert (fixed.pair_id, fixed.band) == ("session-a/1/es", collector_pb2.BAND_CORRECTED)
    assert (fixed.decision, fixed.review_revision) == (types_pb2.DECISION_FIXED, 2)
    assert fixed.reviewer == "Ana"
    assert fixed.source_text == "The river stands at the edge of the open field"
    assert fixed.target_text == "El río está al borde del campo abierto"
    assert fixed.original_source_text == pairs[0].pair_scored.transcript.stable_text
    assert fixed.original_target_text == pairs[0].pair_scored.translation.text
    assert fixed.quality_score > 0
    assert fixed.sequence == 6
    assert fixed.time.seconds == SCORED_AT_S + 6
    assert (rejected.pair_id, rejected.decision) == (
        "session-a/2/es",
        types_pb2.DECISION_REJECTED,
    )
    machine = await stack.export(*ALL_BANDS)
    assert [pair.segment_id for pair in machine] == [1, 3, 4]
    assert {pair.source_text for pair in machine} == {fixed.original_source_text}
    everything = await stack.export(*ALL_BANDS, collector_pb2.BAND_CORRECTED)
    assert len(everything) == 5

    stats = await stack.stats()
    counts = {count.band: count for count in stats.counts}
    assert counts[collector_pb2.BAND_CORRECTED].pair_count == 2
    assert counts[collector_pb2.BAND_CORRECTED].queue_length == 5
    assert stats.open_review_count == 2
    assert list(stats.queue_risks) == []


async def test_the_collector_needs_no_more_than_its_user_may(stack: Stack) -> None:
    stack.upstream.add([*reviewed_sermon(range(1, 8)), *reviewed_sermon(range(1, 8), "session-b")])
    await stack.start()
    await stack.caught_up()
    stack.upstream.forget("session-b")
    await stack.caught_up()
    await until(lambda: not stack.redis.client.exists(ERASE_KEY))
    await stack.stats()
    await stack.export(*ALL_BANDS, collector_pb2.BAND_CORRECTED)
    assert stack.redis.client.acl_log() == []


async def test_exports_the_bands_and_the_session_asked_for_in_order(stack: Stack) -> None:
    stack.upstream.add([*sermon(range(1, 11)), *sermon(range(1, 11), "session-b")])
    await stack.start()
    await stack.caught_up()
    everything = await stack.export(*ALL_BANDS)
    assert [pair.sequence for pair in everything] == sorted(pair.sequence for pair in everything)
    assert len(everything) == 16
    newest = await stack.export(*ALL_BANDS, newest=3)
    assert [pair.pair_id for pair in newest] == [pair.pair_id for pair in reversed(everything[-3:])]
    one = await stack.export(ACCEPT, session_id="session-a")
    assert [pair.pair_id for pair in one] == ["session-a/5/es", "session-a/10/es"]


async def test_a_band_that_has_no_entries_is_refused(stack: Stack) -> None:
    await stack.start()
    for bands in ((), (collector_pb2.BAND_EXCLUDED,), (0,), (ACCEPT, 99)):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await stack.export(*bands)
        assert reason_of(error.value) == "INVALID_BAND"


async def test_events_without_a_pair_move_the_cursor_too(stack: Stack) -> None:
    await stack.start()
    stack.upstream.add([transcript(number) for number in range(1, 6)])
    await stack.caught_up()
    assert stack.collected() == {}


async def test_what_operators_do_moves_the_cursor_too(stack: Stack) -> None:
    await stack.start()
    deeds = (
        {"segment_hidden": gateway_pb2.SegmentHidden(segment_id=1, is_hidden=True)},
        {"session_held": gateway_pb2.SessionHeld(is_held=True)},
        {"session_reset": gateway_pb2.SessionReset(segment_id=1)},
    )
    events = [gateway_pb2.JournalEvent(session_id="session-a", **deed) for deed in deeds]
    screens = gateway_pb2.JournalEvent(screens=gateway_pb2.Screens(is_blank=True))  # of no session
    stack.upstream.add([transcript(1), *events, screens])
    await stack.caught_up()
    assert stack.cursor() == 5
    assert stack.collected() == {}


async def test_the_end_of_a_session_moves_the_cursor_at_once(stack: Stack) -> None:
    stack.collector = stack.new_collector(progress_interval_s=60)
    await stack.start()
    stack.upstream.add([transcript(1), transcript(2), session_ended(), transcript(3)])
    await until(lambda: stack.cursor() == 3)


async def test_events_that_are_sent_again_are_not_collected_again(stack: Stack) -> None:
    stack.upstream.repeats = 15
    stack.upstream.add(sermon(range(1, 31)))
    await stack.start()
    await stack.caught_up()
    for first in (31, 61):
        await stack.upstream.stop()
        stack.upstream.add(sermon(range(first, first + 30)))
        await stack.upstream.start()
        await stack.caught_up()
    stack.assert_each_pair_once()
    assert await stack.metric("glossa_collector_duplicates_total") > 0


async def test_another_journal_at_the_same_address_is_collected_from_its_start(
    stack: Stack,
) -> None:
    stack.upstream.add(sermon(range(1, 21)))
    await stack.start()
    await stack.caught_up()
    await stack.upstream.stop()

    first = stack.upstream
    for number, segment_count in ((2, 5), (3, 40)):  # shorter, then longer than what was known
        stack.upstream = Upstream(int(first.address.split(":")[1]), f"journal-{number}")
        stack.upstream.add(sermon(range(1, segment_count + 1), f"session-{number}"))
        await stack.upstream.start()
        await stack.caught_up()
        assert (await stack.stats()).journal_id == f"journal-{number}"
        await stack.upstream.stop()

    stack.upstream = first  # the first one comes back and goes on where it was
    first.add(sermon(range(21, 23)))
    await first.start()
    await stack.caught_up()
    collected = stack.collected()
    assert set(collected.values()) == {1}
    # Segments 4, 9 ... are excluded.
    assert len(collected) == (22 - 4) + (5 - 1) + (40 - 8)


async def test_a_journal_that_lost_its_end_is_gone_on_with(stack: Stack) -> None:
    stack.upstream.add(sermon(range(1, 21)))
    await stack.start()
    await stack.caught_up()
    await stack.upstream.stop()
    stack.upstream.lose_end(10)
    await stack.upstream.start()
    await until(lambda: stack.cursor() == stack.upstream.last_sequence)
    stack.upstream.add(sermon(range(101, 111)))
    await stack.caught_up()
    assert {f"session-a/{number}/es" for number in (101, 102, 103)} <= set(stack.collected())


async def test_serves_before_the_gateway_is_there(stack: Stack) -> None:
    stack.redis.start()
    await stack.start_collector()
    assert (await stack.stats()).journal_id == ""
    assert await stack.metric("glossa_collector_upstream_connected_bool") == 0
    stack.upstream.add(sermon(range(1, 6)))
    await stack.upstream.start()
    await stack.caught_up()
    assert await stack.metric("glossa_collector_upstream_connected_bool") == 1


async def test_stops_cleanly(stack: Stack) -> None:
    stack.upstream.add(sermon(range(1, 6)))
    await stack.start()
    await stack.caught_up()
    assert stack.collector.stop() == 0
    assert "Traceback" not in stack.collector.log_path.read_text()
    assert "river" not in stack.collector.log_path.read_text()
