"""A forgotten session: nothing of it is left in Redis, in memory or on disk."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from glossa.types.v1 import types_pb2
from services.collector.bands import BANDS, Band
from services.collector.pair import Decision, ExcludedPair, ForgottenSession, ShownText
from services.collector.pair_keys import ERASE_KEY, entries_key, stream_key
from services.collector.queues import Queues
from services.collector.review_keys import (
    HISTORY_KEY,
    LEASED_PAIRS_KEY,
    LEASING_REVIEWERS_KEY,
    settled_key,
    skipped_key,
)
from services.collector.write_script import FORGET_STEP_ENTRIES, Write, script_run
from services.errors import Unavailable
from tests.collector.conftest import Stack, until
from tests.collector.pairs import pair, reviewed, scored
from tests.collector.redis_contents import contents, state
from tests.collector.redis_process import RedisProcess
from tests.collector.upstream import correction, pair_reviewed, pair_scored, reviewed_sermon

JOURNAL = "journal-1"
KEPT, GONE = "session-kept", "session-gone"


def changes(session_id: str, count: int) -> list[Write]:
    """Every kind of change of a session: `count` pairs, half of them decided about."""
    found = []
    for number in range(1, count + 1):
        machine = scored(BANDS[number % 4], session_id=session_id, segment_id=number)
        found.append(machine)
        if number % 2:
            found.append(reviewed(machine, number, Decision.FIXED))
    found.append(ExcludedPair(pair(session_id=session_id, segment_id=count + 1), "no_speech"))
    found.append(ShownText(session_id, 1, "es", f"texto de {session_id}"))
    return [Write(0, change) for change in found]


def numbered(*groups: list[Write]) -> list[Write]:
    writes = [write for group in groups for write in group]
    return [Write(sequence, write.change) for sequence, write in enumerate(writes, 1)]


def lease_and_skip(server: RedisProcess, session_id: str) -> None:
    """What reviewers leave of a session in Redis."""
    pair_id = f"{session_id}/1/es"
    server.client.hset(LEASED_PAIRS_KEY, pair_id, json.dumps({"id": "x", "reviewer": "Ana"}))
    server.client.hset(LEASING_REVIEWERS_KEY, "Ana" if session_id == KEPT else "Ben", pair_id)
    server.client.hset(skipped_key(session_id), pair_id, json.dumps({"Ana": 1}))
    server.client.hset(settled_key(session_id), pair_id, json.dumps({"reviewer": "Ana"}))
    server.client.zadd(HISTORY_KEY, {f"Ana\n{pair_id}": 1})


async def forget(queues: Queues, session_id: str = GONE) -> None:
    cursor = await queues.cursor(JOURNAL)
    change = ForgottenSession(cursor + 1, session_id)
    written = await queues.write(JOURNAL, cursor, [Write(cursor + 1, change)])
    assert (written.outcomes, written.cursor) == (("written",), cursor + 1)


async def test_nothing_of_a_forgotten_session_is_left_and_everything_of_the_others(
    queues: Queues, server: RedisProcess
) -> None:
    kept, gone = changes(KEPT, 12), changes(GONE, 12)
    await queues.write(JOURNAL, 0, numbered(kept))
    lease_and_skip(server, KEPT)
    expected = state(server.client)
    server.client.flushall()

    await queues.write(JOURNAL, 0, numbered(kept, gone))
    for session_id in (KEPT, GONE):
        lease_and_skip(server, session_id)
    await forget(queues)
    assert GONE not in str(contents(server.client))
    found = state(server.client)
    for sequences in (expected, found):
        del sequences[f"glossa:pairs:cursor:{JOURNAL}"]
    assert found == expected


async def test_a_long_session_is_forgotten_in_steps_between_which_redis_serves_others(
    queues: Queues, server: RedisProcess
) -> None:
    writes = numbered(changes(KEPT, 100), changes(GONE, 5_000))
    for first in range(0, len(writes), 250):
        await queues.write(JOURNAL, writes[first].sequence - 1, writes[first : first + 250])
    entry_count = server.client.llen(entries_key(GONE))
    server.client.config_resetstat()
    await forget(queues)
    runs = server.client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert runs > entry_count / FORGET_STEP_ENTRIES
    assert GONE not in str(contents(server.client))
    assert sum((await queues.lengths()).values()) == 150


async def test_a_collector_that_dies_while_it_forgets_goes_on_where_it_was(
    queues: Queues, server: RedisProcess
) -> None:
    writes = numbered(changes(KEPT, 5), changes(GONE, FORGET_STEP_ENTRIES))
    await queues.write(JOURNAL, 0, writes)
    cursor = await queues.cursor(JOURNAL)
    before = server.client.llen(entries_key(GONE))
    run = script_run(JOURNAL, cursor, Write(cursor + 1, ForgottenSession(cursor + 1, GONE)))
    answer = server.client.eval(run.script.text, len(run.keys), *run.keys, *run.arguments)
    assert answer == ["forgetting", cursor]
    assert 0 < server.client.llen(entries_key(GONE)) < before
    assert await queues.cursor(JOURNAL) == cursor  # so it is told to forget once more
    await forget(queues)
    assert GONE not in str(contents(server.client))


async def test_what_follows_in_the_same_batch_is_written_after_it(queues: Queues) -> None:
    writes = numbered(
        changes(GONE, 3),
        [Write(0, ForgottenSession(0, GONE)), Write(0, ForgottenSession(0, KEPT))],
        [Write(0, scored(Band.ACCEPT))],
    )
    written = await queues.write(JOURNAL, 0, writes)
    assert set(written.outcomes) == {"written"}
    assert written.cursor == len(writes)
    again = await queues.write(JOURNAL, 0, writes)
    assert set(again.outcomes) == {"duplicate"}
    assert (await queues.counts()).bands[Band.ACCEPT] == 1


async def test_a_redis_that_is_behind_forgets_nothing_yet(
    queues: Queues, server: RedisProcess
) -> None:
    writes = numbered(changes(GONE, 3))
    await queues.write(JOURNAL, 0, writes)
    before = state(server.client)
    ahead = [Write(90, ForgottenSession(90, GONE)), Write(91, scored(Band.ACCEPT))]
    written = await queues.write(JOURNAL, 80, ahead)
    assert written.outcomes == ("behind", "behind")
    assert state(server.client) == before


async def test_a_key_of_the_wrong_type_stops_the_forgetting_before_it_begins(
    queues: Queues, server: RedisProcess
) -> None:
    await queues.write(JOURNAL, 0, numbered(changes(GONE, 3)))
    before = server.client.llen(entries_key(GONE))
    server.client.delete(stream_key(Band.ACCEPT))
    server.client.set(stream_key(Band.ACCEPT), "not a stream")
    with pytest.raises(Unavailable):
        await forget(queues)
    assert server.client.llen(entries_key(GONE)) == before


async def test_the_append_only_file_forgets_too(stack: Stack) -> None:
    secret = "Bartimaeus sat by the gate of the city and called"  # pragma: allowlist secret
    # Compressed, a search of the file proves nothing.
    stack.redis = RedisProcess(stack.redis.port, stack.folder / "redis", "--rdbcompression", "no")
    told = pair_scored(1, GONE, source_text=secret, signals={"heuristic_quality": 0.9})
    stack.upstream.add(
        [
            *reviewed_sermon(range(1, 6), KEPT),
            told,
            correction(1, "en", secret, GONE),
            pair_reviewed(told, types_pb2.DECISION_FIXED, source_text=f"{secret}!"),
            *reviewed_sermon(range(6, 11), KEPT),
        ]
    )
    await stack.start()
    await stack.caught_up()
    await until(lambda: on_disk(stack, secret))  # Redis writes while no fsync is under way
    stack.upstream.forget(GONE)
    await stack.caught_up()
    await until(lambda: not stack.redis.client.exists(ERASE_KEY))
    for text in (secret, GONE):
        assert text not in str(contents(stack.redis.client))
        assert not on_disk(stack, text)
    assert on_disk(stack, "The river stands")
    stack.redis.kill()
    stack.redis.start()
    assert GONE not in str(contents(stack.redis.client))


async def test_a_redis_that_dies_while_it_rewrites_its_file_does_so_again(stack: Stack) -> None:
    stack.redis = RedisProcess(stack.redis.port, stack.folder / "redis", "--rdbcompression", "no")
    stack.upstream.add(reviewed_sermon(range(1, 30), GONE))
    await stack.start()
    await stack.caught_up()
    stack.upstream.forget(GONE)
    await stack.caught_up()
    stack.redis.kill()
    stack.redis.start()
    await until(lambda: not stack.redis.client.exists(ERASE_KEY))
    assert not on_disk(stack, GONE)


async def test_a_forgotten_session_stays_forgotten_when_redis_is_filled_again(
    stack: Stack,
) -> None:
    stack.upstream.add([*reviewed_sermon(range(1, 8), GONE), *reviewed_sermon(range(1, 8), KEPT)])
    await stack.start()
    await stack.caught_up()
    stack.upstream.forget(GONE)
    await stack.caught_up()
    expected = state(stack.redis.client)
    assert any(key.endswith(KEPT) for key in expected)
    stack.redis.client.flushall()
    await stack.caught_up()
    assert state(stack.redis.client) == expected


async def test_an_older_copy_of_redis_learns_that_a_session_was_forgotten(stack: Stack) -> None:
    stack.upstream.add(reviewed_sermon(range(1, 8), GONE))
    await stack.start()
    await stack.caught_up()
    stack.redis.client.config_set("appendonly", "no")  # from here on nothing reaches the disk
    stack.upstream.forget(GONE)
    await stack.caught_up()
    stack.redis.kill()
    stack.redis.start()
    await stack.caught_up()
    assert GONE not in str(contents(stack.redis.client))


def on_disk(stack: Stack, text: str) -> bool:
    """Whether a text is in any file that Redis keeps its data in."""
    folder: Path = stack.folder / "redis" / "appendonlydir"
    deadline = time.monotonic() + 10
    while True:  # a rewrite that ends takes the files away that are being read
        try:
            return any(text.encode() in file.read_bytes() for file in folder.iterdir())
        except FileNotFoundError:
            assert time.monotonic() < deadline
