"""The script in Redis: one event changes everything at once, or nothing."""

from __future__ import annotations

import pytest

from services.collector.bands import BANDS, Band
from services.collector.pair import ExcludedPair, ScoredPair
from services.collector.pair_keys import STREAMS, counts_key, cursor_key, stream_key
from services.collector.queues import Queues
from services.collector.write_script import Write
from services.errors import Unavailable
from services.settings import port
from tests.collector.pairs import pair, scored
from tests.collector.redis_process import RedisProcess
from tests.processes import free_port_base

JOURNAL = "journal-1"


def write(sequence: int, band: Band = Band.ACCEPT, session_id: str = "session-a") -> Write:
    return Write(sequence, pair_of(sequence, band, session_id))


def pair_of(sequence: int, band: Band = Band.ACCEPT, session_id: str = "session-a") -> ScoredPair:
    return scored(band, sequence=sequence, segment_id=sequence, session_id=session_id)


async def collected(queues: Queues, *bands: Band, session_id: str = "") -> list[int]:
    return [
        scored.pair.sequence
        async for scored in queues.oldest_first(bands or BANDS, session_id=session_id)
    ]


async def test_an_event_writes_its_entry_its_counts_and_the_cursor(queues: Queues) -> None:
    written = await queues.write(JOURNAL, 0, [write(4)])
    assert written.outcomes == ("written",)
    assert written.cursor == await queues.cursor(JOURNAL) == 4
    assert [scored async for scored in queues.oldest_first([Band.ACCEPT])] == [pair_of(4)]
    for session_id in ("", "session-a"):
        assert (await queues.counts(session_id)).bands[Band.ACCEPT] == 1
    assert (await queues.counts("session-b")).bands[Band.ACCEPT] == 0


async def test_an_event_that_comes_again_changes_nothing(queues: Queues) -> None:
    writes = [write(1), write(2), Write(3), write(4)]
    await queues.write(JOURNAL, 0, writes)
    again = await queues.write(JOURNAL, 0, [*writes, write(5)])
    assert again.outcomes == ("duplicate",) * 4 + ("written",)
    assert await collected(queues) == [1, 2, 4, 5]
    assert (await queues.counts()).bands[Band.ACCEPT] == 4


async def test_an_excluded_pair_is_counted_by_reason_and_has_no_entry(queues: Queues) -> None:
    excluded = Write(1, ExcludedPair(pair(segment_id=1), "too_few_words"))
    again = Write(2, ExcludedPair(pair(segment_id=2), "no_speech"))
    await queues.write(JOURNAL, 0, [excluded, again])
    counts = await queues.counts("session-a")
    assert counts.excluded == 2
    assert counts.exclusions == {"no_speech": 1, "too_few_words": 1}
    assert await queues.lengths() == dict.fromkeys(STREAMS, 0)
    assert await queues.cursor(JOURNAL) == 2


async def test_another_journal_begins_at_zero(queues: Queues) -> None:
    await queues.write(JOURNAL, 0, [write(1), write(50)])
    assert await queues.cursor("journal-2") == 0
    written = await queues.write("journal-2", 0, [write(1, session_id="session-b")])
    assert written.outcomes == ("written",)
    assert await queues.cursor(JOURNAL) == 50


async def test_a_pair_that_is_scored_once_more_is_not_collected_twice(
    queues: Queues, server: RedisProcess
) -> None:
    """As by a gateway that went back to a copy of its journal, and did its last work again."""
    first = [write(1), write(2), Write(3, ExcludedPair(pair(segment_id=3), "no_speech"))]
    await queues.write(JOURNAL, 0, first)
    again = [Write(write.sequence + 10, write.change) for write in first]
    written = await queues.write(JOURNAL, 3, [*again, write(14)])
    assert written.outcomes == ("duplicate",) * 3 + ("written",)
    assert written.cursor == await queues.cursor(JOURNAL) == 14
    assert await collected(queues) == [1, 2, 14]
    counts = await queues.counts()
    assert (counts.bands[Band.ACCEPT], counts.excluded) == (3, 1)


async def test_a_redis_that_lost_its_end_takes_nothing_and_says_where_it_is(
    queues: Queues, server: RedisProcess
) -> None:
    await queues.write(JOURNAL, 0, [write(1), write(2)])
    server.client.set(cursor_key(JOURNAL), 1)
    written = await queues.write(JOURNAL, 2, [write(3), write(4)])
    assert written.outcomes == ("behind", "behind")
    assert written.is_behind
    assert written.cursor == 1
    assert await collected(queues) == [1, 2]


async def test_a_failure_in_the_middle_leaves_no_gap_and_can_be_repeated(
    queues: Queues, server: RedisProcess
) -> None:
    server.client.set(stream_key(Band.REVIEW), "not a stream")
    writes = [write(1), write(2, Band.REVIEW), write(3)]
    for _ in range(3):
        with pytest.raises(Unavailable) as error:
            await queues.write(JOURNAL, 0, writes)
        assert error.value.reason == "QUEUE_UNAVAILABLE"
    assert await queues.cursor(JOURNAL) == 1
    server.client.delete(stream_key(Band.REVIEW))
    written = await queues.write(JOURNAL, 0, writes)
    assert written.outcomes == ("duplicate", "written", "written")
    assert await collected(queues) == [1, 2, 3]
    assert (await queues.counts()).bands[Band.REVIEW] == 1


async def test_a_full_redis_takes_nothing_until_there_is_room(
    queues: Queues, server: RedisProcess
) -> None:
    server.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(Unavailable):
            await queues.write(JOURNAL, 0, [write(1)])
    finally:
        server.client.config_set("maxmemory", 0)
    assert server.client.keys() == []
    assert (await queues.write(JOURNAL, 0, [write(1)])).outcomes == ("written",)


async def test_a_redis_that_forgot_the_script_learns_it_again(
    queues: Queues, server: RedisProcess
) -> None:
    await queues.write(JOURNAL, 0, [write(1)])
    server.client.script_flush()
    assert (await queues.write(JOURNAL, 1, [write(2), write(3)])).cursor == 3
    assert await collected(queues) == [1, 2, 3]


async def test_reads_bands_together_in_the_order_of_time(queues: Queues) -> None:
    numbers = range(1, 701)
    for first in range(1, 701, 100):
        await queues.write(
            JOURNAL,
            first - 1,
            [
                write(number, BANDS[number % 4], "session-b" if number % 7 == 0 else "session-a")
                for number in range(first, first + 100)
            ],
        )
    assert await collected(queues) == list(numbers)
    assert await collected(queues, Band.ACCEPT) == [n for n in numbers if n % 4 == 0]
    assert await collected(queues, session_id="session-b") == [n for n in numbers if n % 7 == 0]
    newest = [pair.pair.sequence async for pair in queues.newest_first(BANDS)]
    assert newest == list(reversed(numbers))


async def test_an_entry_of_someone_else_is_passed_over(
    queues: Queues, server: RedisProcess
) -> None:
    await queues.write(JOURNAL, 0, [write(1)])
    server.client.xadd(stream_key(Band.ACCEPT), {"hello": "world"})
    await queues.write(JOURNAL, 1, [write(2)])
    assert await collected(queues) == [1, 2]


async def test_keys_are_named_as_documented(queues: Queues, server: RedisProcess) -> None:
    await queues.write(JOURNAL, 0, [write(1)])
    assert set(server.client.keys()) == {
        "glossa:pairs:accept",
        "glossa:pairs:counts",
        "glossa:pairs:counts:session-a",
        "glossa:pairs:cursor:journal-1",
        "glossa:pairs:entries:session-a",
        "glossa:pairs:known:session-a",
    }
    assert counts_key("session-a") == "glossa:pairs:counts:session-a"


async def test_nobody_listening_is_one_clear_error() -> None:
    queues = Queues.open(f"redis://127.0.0.1:{port('redis', free_port_base())}/0", timeout_s=1)
    with pytest.raises(Unavailable) as error:
        await queues.lengths()
    assert error.value.reason == "QUEUE_UNAVAILABLE"
    await queues.close()
