"""What a person decided: written once, counted while it stands, and told to whoever exports."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from services.collector.bands import BANDS, Band
from services.collector.entry import from_fields, reviewed_from_fields, to_fields
from services.collector.pair import Decision, ExcludedPair, ReviewedPair, ScoredPair, ShownText
from services.collector.pair_keys import CORRECTED, STREAMS, cursor_key, known_key, stream_key
from services.collector.priority import review_priority
from services.collector.queues import Queues
from services.collector.reading import CollectedPair
from services.collector.review_keys import OPEN_KEY, done_key, items_key, shown_key
from services.collector.write_script import Write
from services.errors import Unavailable
from tests.collector.pairs import pair, reviewed, scored, signals
from tests.collector.redis_contents import contents
from tests.collector.redis_process import RedisProcess

JOURNAL = "journal-1"
DOUBTFUL = scored(Band.REVIEW, sequence=1)
PAIR_ID = DOUBTFUL.pair.pair_id
STANDING = (Decision.ACCEPTED, Decision.FIXED, Decision.REJECTED)


async def write(queues: Queues, *changes: CollectedPair | ExcludedPair | ShownText) -> None:
    """Writes changes as the journal's next events."""
    cursor = await queues.cursor(JOURNAL)
    await queues.write(
        JOURNAL, cursor, [Write(cursor + index, change) for index, change in enumerate(changes, 1)]
    )


async def read(queues: Queues, *streams: str) -> list[CollectedPair]:
    return [pair async for pair in queues.oldest_first(streams or STREAMS)]


@pytest.mark.parametrize("band", BANDS)
async def test_a_pair_that_a_person_should_see_waits_with_its_priority_and_its_item(
    queues: Queues, server: RedisProcess, band: Band
) -> None:
    machine = scored(band)
    await write(queues, machine)
    priority = review_priority(machine)
    assert (priority is not None) == (band in (Band.MODERATE, Band.REVIEW))
    if priority is None:
        assert not server.client.exists(OPEN_KEY, items_key("session-a"))
        assert await queues.open_review_count() == 0
        return
    assert server.client.zscore(OPEN_KEY, machine.pair.pair_id) == priority.value
    item = json.loads(server.client.hget(items_key("session-a"), machine.pair.pair_id))
    assert from_fields(item) == machine
    assert await queues.open_review_count() == 1


async def test_of_one_session_only_its_own_pairs_are_counted_as_waiting(queues: Queues) -> None:
    await write(
        queues,
        scored(Band.REVIEW, session_id="session-a"),
        scored(Band.REVIEW, session_id="session-ab"),
        scored(Band.MODERATE, session_id="session-ab", segment_id=4),
    )
    counted = [await queues.open_review_count(id) for id in ("session-a", "session-ab", "session")]
    assert counted == [1, 2, 0]
    assert await queues.open_review_count() == 3


@pytest.mark.parametrize("decision", STANDING)
async def test_a_decision_is_an_entry_closes_the_pair_and_counts(
    queues: Queues, server: RedisProcess, decision: Decision
) -> None:
    decided = reviewed(DOUBTFUL, 2, decision)
    await write(queues, DOUBTFUL, decided)
    assert await read(queues, CORRECTED) == [decided]
    assert await queues.open_review_count() == 0
    assert server.client.hgetall(done_key("session-a")) == {PAIR_ID: f"1 {decision}"}
    assert server.client.hexists(items_key("session-a"), PAIR_ID)
    for session_id in ("", "session-a"):
        assert (await queues.counts(session_id)).corrected == 1
    assert (await queues.lengths())[CORRECTED] == 1


async def test_a_decision_that_is_withdrawn_opens_the_pair_again(
    queues: Queues, server: RedisProcess
) -> None:
    await write(queues, DOUBTFUL)
    waiting = server.client.zrange(OPEN_KEY, 0, -1, withscores=True)
    item = server.client.hgetall(items_key("session-a"))
    await write(
        queues,
        reviewed(DOUBTFUL, 2, Decision.REJECTED),
        reviewed(DOUBTFUL, 3, Decision.WITHDRAWN, revision=2),
    )
    assert server.client.zrange(OPEN_KEY, 0, -1, withscores=True) == waiting
    assert server.client.hgetall(items_key("session-a")) == item
    assert not server.client.exists(done_key("session-a"))
    assert (await queues.counts()).corrected == 0
    assert await read(queues, CORRECTED) == []
    assert await read(queues, Band.REVIEW) == [DOUBTFUL]


async def test_a_pair_that_nobody_needed_to_see_is_not_opened_by_an_undo(
    queues: Queues, server: RedisProcess
) -> None:
    machine = scored(Band.ACCEPT, sequence=1)
    await write(queues, machine, reviewed(machine, 2))
    # It was decided about all the same: an undo shows it to whoever decided.
    assert server.client.hexists(items_key("session-a"), PAIR_ID)
    await write(queues, reviewed(machine, 3, Decision.WITHDRAWN, revision=2))
    assert await queues.open_review_count() == 0


async def test_the_newest_decision_stands_and_is_the_only_one_exported(queues: Queues) -> None:
    newest = reviewed(DOUBTFUL, 4, Decision.ACCEPTED, revision=3)
    await write(
        queues,
        DOUBTFUL,
        reviewed(DOUBTFUL, 2, Decision.REJECTED),
        reviewed(DOUBTFUL, 3, Decision.FIXED, revision=2),
        newest,
    )
    assert await read(queues, CORRECTED) == [newest]
    assert [pair async for pair in queues.newest_first([CORRECTED])] == [newest]
    assert (await queues.counts()).corrected == 1


async def test_a_rejected_pair_is_exported_as_a_decision_and_from_no_band(queues: Queues) -> None:
    kept = scored(Band.REVIEW, sequence=2, segment_id=4)
    rejection = reviewed(DOUBTFUL, 3, Decision.REJECTED)
    await write(queues, DOUBTFUL, kept, rejection, reviewed(kept, 4, Decision.FIXED))
    assert await read(queues, *BANDS) == [kept]
    assert rejection in await read(queues, CORRECTED)


async def test_an_excluded_pair_can_be_decided_about(queues: Queues) -> None:
    invalid = pair(signals=signals(translation_qe=float("nan"), back_translation=None), sequence=2)
    excluded = ExcludedPair(invalid, "invalid_signal")
    decided = replace(reviewed(DOUBTFUL, 2), machine=excluded)
    await write(queues, ExcludedPair(pair(), "invalid_signal"), decided)
    (exported,) = await read(queues, CORRECTED)
    assert isinstance(exported, ReviewedPair)
    assert isinstance(exported.machine, ExcludedPair)
    assert exported.machine.reason == "invalid_signal"
    assert exported.pair.signal("translation_qe") is None
    assert await queues.open_review_count() == 0
    counts = await queues.counts()
    assert (counts.excluded, counts.corrected) == (1, 1)


async def test_an_event_of_a_decision_that_comes_again_changes_nothing(
    queues: Queues, server: RedisProcess
) -> None:
    writes = [
        Write(1, DOUBTFUL),
        Write(2, reviewed(DOUBTFUL, 2)),
        Write(3, reviewed(DOUBTFUL, 3, Decision.WITHDRAWN, revision=2)),
    ]
    await queues.write(JOURNAL, 0, writes)
    before = contents(server.client)
    again = await queues.write(JOURNAL, 0, writes)
    assert again.outcomes == ("duplicate",) * 3
    assert contents(server.client) == before


@pytest.mark.parametrize("change", [DOUBTFUL, reviewed(DOUBTFUL, 2)], ids=["pair", "decision"])
async def test_a_key_of_the_wrong_type_fails_before_anything_is_written(
    queues: Queues, server: RedisProcess, change: CollectedPair
) -> None:
    await write(queues, DOUBTFUL, change)
    keys = set(contents(server.client)) - {cursor_key(JOURNAL)}
    refused = set()
    for key in sorted(keys):
        server.client.flushall()
        server.client.set(key, "of the wrong type")
        before = contents(server.client)
        try:
            await write(queues, change)
        except Unavailable:
            refused.add(key)
            assert contents(server.client) == before
    of_the_pair = {stream_key(Band.REVIEW), known_key("session-a")}
    untouched = of_the_pair if isinstance(change, ReviewedPair) else set()
    assert refused == keys - untouched


async def test_a_correction_is_remembered_as_what_is_shown(
    queues: Queues, server: RedisProcess
) -> None:
    await write(
        queues,
        ShownText("session-a", 3, "es", "El río"),
        ShownText("session-a", 3, "en", "The river"),
        ShownText("session-a", 3, "es", "El río crece"),
    )
    assert server.client.hgetall(shown_key("session-a")) == {
        "3/es": "El río crece",
        "3/en": "The river",
    }


def test_an_entry_gives_back_everything_that_was_put_in() -> None:
    machine: ScoredPair = replace(
        scored(
            Band.MODERATE,
            flags=("low_confidence", "missing_term"),
            missing_terms=(("grace", "gracia"), ("a, b", 'el "río"')),
        ),
        caps=("missing_term", "doubtful_speech"),
        calibration="0123456789ab",
    )
    assert from_fields(to_fields(machine)) == machine
    decided = reviewed(machine, 9, Decision.REJECTED, revision=12)
    assert reviewed_from_fields(to_fields(decided)) == decided


@pytest.mark.parametrize("missing", ["decision", "review_revision", "original_source_text", "band"])
def test_what_is_no_decision_is_refused(missing: str) -> None:
    fields = to_fields(reviewed(DOUBTFUL, 2))
    del fields[missing]
    with pytest.raises(ValueError, match=missing):
        reviewed_from_fields(fields)
