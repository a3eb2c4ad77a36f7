"""Leases on a real Redis: one person a pair, whatever happens to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from services.collector.pair import Decision, ForgottenSession, ReviewedPair
from services.collector.review_queue import OpenPair, review_id_of
from services.collector.write_script import ShownText
from services.errors import NotFound, Superseded, Unavailable, WrongState
from services.settings import port
from tests.collector.redis_process import RedisProcess
from tests.collector.reviewing import JOURNAL_ID, Reviewing, doubtful, pair_ids
from tests.processes import free_port_base

SHORT_S = 0.15


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    redis = RedisProcess(port("redis", free_port_base()), tmp_path_factory.mktemp("redis"))
    redis.start()
    try:
        yield redis
    finally:
        redis.kill()


@pytest_asyncio.fixture
async def reviewing(redis: RedisProcess) -> AsyncIterator[Reviewing]:
    redis.client.flushall()
    reviewing = Reviewing(redis)
    try:
        yield reviewing
    finally:
        await reviewing.close()


def pair_id(leased: OpenPair | None) -> str:
    assert leased is not None
    return leased.machine.pair.pair_id


def lease_id(leased: OpenPair | None) -> str:
    assert leased is not None
    assert leased.lease is not None
    return leased.lease.lease_id


def decided_on(
    segment_id: int, decision: Decision, revision: int, reviewer: str = "Ana"
) -> ReviewedPair:
    machine = doubtful(segment_id, 0.5)
    return ReviewedPair(
        machine=machine,
        sequence=100 + revision,
        time=machine.pair.time,
        decision=decision,
        source_text=machine.pair.source_text,
        target_text=machine.pair.target_text,
        reviewer=reviewer,
        review_id=f"review-{revision}",
        revision=revision,
    )


async def test_the_most_urgent_pair_comes_first_and_the_same_one_until_it_is_decided(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.6, 0.52, 0.55])
    first = await reviewing.leases.lease("Ana")
    again = await reviewing.leases.lease("Ana")
    assert pair_id(first) == pair_id(again) == "session-a/2/es"
    assert lease_id(first) == lease_id(again)
    assert pair_id(await reviewing.leases.lease("Ben")) == "session-a/3/es"
    assert first is not None
    await reviewing.decide(first)
    assert pair_id(await reviewing.leases.lease("Ana")) == "session-a/1/es"


async def test_ten_reviewers_on_two_collectors_never_have_the_same_pair(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.5 + number / 1000 for number in range(120)])
    collectors = [reviewing.leases, reviewing.collector()]
    had: dict[str, str] = {}
    decided: list[str] = []

    async def work(number: int) -> None:
        leases, reviewer = collectors[number % 2], f"reviewer {number}"
        while (leased := await leases.lease(reviewer)) is not None:
            its_id = pair_id(leased)
            assert had.setdefault(its_id, reviewer) == reviewer
            await leases.renew(lease_id(leased))
            await reviewing.decide(leased)
            decided.append(its_id)

    await asyncio.gather(*(work(number) for number in range(10)))
    await collectors[1].close()
    assert len(decided) == len(set(decided)) == 120
    assert (await reviewing.leases.progress()).open_count == 0


async def test_two_reviewers_who_ask_at_once_get_different_pairs(reviewing: Reviewing) -> None:
    await reviewing.add([0.5, 0.51])
    for _ in range(50):
        both = await asyncio.gather(*(reviewing.leases.lease(name) for name in ("Ana", "Ben")))
        assert {pair_id(leased) for leased in both} == {"session-a/1/es", "session-a/2/es"}
        await asyncio.gather(*(reviewing.leases.release(lease_id(leased)) for leased in both))


async def test_an_expired_lease_is_taken_over_and_lost_to_who_had_it(redis: RedisProcess) -> None:
    redis.client.flushall()
    reviewing = Reviewing(redis, lease_s=SHORT_S)
    await reviewing.add([0.5])
    taken = await reviewing.leases.lease("Ana")
    with pytest.raises(WrongState, match="Ana has") as refused:
        await reviewing.leases.lease("Ben", pair_id="session-a/1/es")
    assert refused.value.reason == "LEASED"
    assert await reviewing.leases.lease("Ben") is None
    leased = await _until_leased(reviewing, "Ben")
    assert pair_id(leased) == pair_id(taken)
    for lost in (
        reviewing.leases.renew(lease_id(taken)),
        reviewing.leases.release(lease_id(taken)),
        reviewing.leases.holder(lease_id(taken)),
    ):
        with pytest.raises(Superseded) as error:
            await lost
        assert error.value.reason == "LEASE_LOST"
    assert (await reviewing.leases.holder(lease_id(leased))).reviewer == "Ben"
    await reviewing.close()


async def test_an_expired_lease_that_nobody_took_goes_on(redis: RedisProcess) -> None:
    redis.client.flushall()
    reviewing = Reviewing(redis, lease_s=SHORT_S)
    await reviewing.add([0.5, 0.6])
    leased = await reviewing.leases.lease("Ana")
    async with asyncio.timeout(10):
        while (await reviewing.leases.progress()).leased_count:
            await asyncio.sleep(0.02)
    await reviewing.leases.renew(lease_id(leased))
    assert (await reviewing.leases.progress()).leased_count == 1
    await reviewing.close()


async def _until_leased(reviewing: Reviewing, reviewer: str) -> OpenPair:
    async with asyncio.timeout(10):
        while True:
            if (leased := await reviewing.leases.lease(reviewer)) is not None:
                return leased
            await asyncio.sleep(0.02)


async def test_a_skipped_pair_comes_back_to_its_reviewer_last_and_to_others_in_its_place(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.5, 0.51, 0.52])
    seen = []
    for _ in range(5):
        leased = await reviewing.leases.lease("Ana")
        seen.append(pair_id(leased).split("/")[1])
        await reviewing.leases.release(lease_id(leased), skip=True)
    assert seen == ["1", "2", "3", "1", "2"]
    assert pair_id(await reviewing.leases.lease("Ben")) == "session-a/1/es"


async def test_who_asks_for_another_pair_gives_back_the_one_they_have(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.5, 0.6])
    await reviewing.add([0.55], "session-b")
    first = await reviewing.leases.lease("Ana")
    other = await reviewing.leases.lease("Ana", session_id="session-b")
    assert pair_id(other) == "session-b/1/es"
    assert pair_id(await reviewing.leases.lease("Ben")) == pair_id(first)
    chosen = await reviewing.leases.lease("Ana", pair_id="session-a/2/es")
    assert pair_id(chosen) == "session-a/2/es"
    assert (await reviewing.leases.progress()).leased_count == 2


async def test_a_session_is_reviewed_by_itself(reviewing: Reviewing) -> None:
    await reviewing.add([0.5, 0.6])
    await reviewing.add([0.55, 0.51, 0.58], "session-b")
    listed = await reviewing.leases.listed(10, "session-b")
    assert pair_ids(listed) == ["session-b/2/es", "session-b/1/es", "session-b/3/es"]
    assert pair_ids(await reviewing.leases.listed(2)) == ["session-a/1/es", "session-b/2/es"]
    leased = await reviewing.leases.lease("Ana", "session-b")
    assert pair_id(leased) == "session-b/2/es"
    progress = await reviewing.leases.progress("session-b")
    assert (progress.open_count, progress.leased_count) == (3, 1)
    assert (await reviewing.leases.progress("session-a")).leased_count == 0


async def test_a_decided_pair_is_closed_before_the_follower_has_read_it(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.5])
    leased = await reviewing.leases.lease("Ana")
    assert leased is not None
    await reviewing.decide(leased)
    assert await reviewing.leases.lease("Ben") is None
    with pytest.raises(WrongState) as error:
        await reviewing.leases.lease("Ben", pair_id=pair_id(leased))
    assert error.value.reason == "ALREADY_REVIEWED"
    held = await reviewing.leases.holder(lease_id(leased))
    assert held.reviewer == "Ana"  # the same submit may be sent again
    await reviewing.write(decided_on(1, Decision.ACCEPTED, 1))
    progress = await reviewing.leases.progress()
    assert (progress.open_count, progress.reviewed_count) == (0, 1)


async def test_a_decision_that_settles_late_does_not_close_what_was_opened_again(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.5])
    leased = await reviewing.leases.lease("Ana")
    assert leased is not None
    assert leased.lease is not None
    held = await reviewing.leases.holder(leased.lease.lease_id)
    await reviewing.write(decided_on(1, Decision.ACCEPTED, 1), decided_on(1, Decision.WITHDRAWN, 2))
    await reviewing.leases.settle(held, review_id_of(leased.lease.lease_id), 2, 1, JOURNAL_ID)
    assert pair_id(await reviewing.leases.lease("Ben")) == "session-a/1/es"


async def test_undo_gives_the_pair_back_to_who_decided_and_to_nobody_else(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.5, 0.6])
    for _ in range(2):
        leased = await reviewing.leases.lease("Ana")
        assert leased is not None
        await reviewing.decide(leased)
        segment_id = int(pair_id(leased).split("/")[1])
        await reviewing.write(decided_on(segment_id, Decision.ACCEPTED, 1))
    for segment_id in (2, 1):  # the last decision first
        undoing = await reviewing.leases.begin_undo("Ana")
        assert undoing.pair_id == f"session-a/{segment_id}/es"
        await reviewing.leases.end_undo(undoing, 2)
        await reviewing.write(decided_on(segment_id, Decision.WITHDRAWN, 2))
        assert await reviewing.leases.lease("Ben") is None
        assert pair_id(await reviewing.leases.lease("Ana")) == undoing.pair_id
        await reviewing.leases.release(undoing.lease_id)
        held = await reviewing.leases.lease("Carol", pair_id=undoing.pair_id)
        assert held is not None
        await reviewing.decide(held, revision=3)
        await reviewing.write(decided_on(segment_id, Decision.ACCEPTED, 3))
    with pytest.raises(WrongState) as error:
        await reviewing.leases.begin_undo("Ana")
    assert error.value.reason == "NOTHING_TO_UNDO"


async def test_a_name_that_goes_on_in_a_second_line_is_another_name(reviewing: Reviewing) -> None:
    """Only the journal can say such a name: here nobody is let in with one."""
    await reviewing.add([0.5, 0.6])
    await reviewing.write(
        decided_on(1, Decision.ACCEPTED, 1), decided_on(2, Decision.ACCEPTED, 1, "Ana\nzoe")
    )
    assert (await reviewing.leases.begin_undo("Ana")).pair_id == "session-a/1/es"


async def test_undo_waits_for_who_has_the_pair_open(reviewing: Reviewing) -> None:
    await reviewing.add([0.5])
    # Ana's decision was in the journal when her collector died and Ben took over what she had.
    held = await reviewing.leases.lease("Ben")
    await reviewing.write(decided_on(1, Decision.ACCEPTED, 1))
    with pytest.raises(WrongState) as error:
        await reviewing.leases.begin_undo("Ana")
    assert error.value.reason == "LEASED"
    await reviewing.leases.release(lease_id(held))
    assert (await reviewing.leases.begin_undo("Ana")).pair_id == "session-a/1/es"


@pytest.mark.parametrize("decided_last", [Decision.WITHDRAWN, Decision.REJECTED])
async def test_a_decision_that_no_longer_stands_is_not_undone(
    reviewing: Reviewing, decided_last: Decision
) -> None:
    await reviewing.add([0.5])
    leased = await reviewing.leases.lease("Ana")
    assert leased is not None
    await reviewing.decide(leased)
    await reviewing.write(
        decided_on(1, Decision.ACCEPTED, 1), decided_on(1, decided_last, 2, reviewer="Ben")
    )
    with pytest.raises(WrongState) as error:
        await reviewing.leases.begin_undo("Ana")
    assert error.value.reason == "NOTHING_TO_UNDO"


async def test_a_decision_that_was_read_late_does_not_hide_a_newer_one(
    reviewing: Reviewing,
) -> None:
    await reviewing.add([0.5])
    leased = await reviewing.leases.lease("Ben")
    assert leased is not None
    await reviewing.decide(leased, revision=3)
    await reviewing.write(decided_on(1, Decision.ACCEPTED, 1), decided_on(1, Decision.WITHDRAWN, 2))
    assert (await reviewing.leases.begin_undo("Ben")).revision == 3


async def test_texts_are_shown_as_they_were_last_corrected(reviewing: Reviewing) -> None:
    await reviewing.write(ShownText("session-a", 1, "es", "Corregido antes"))
    await reviewing.write(doubtful(1, 0.5), ShownText("session-a", 1, "en", "Put right"))
    await reviewing.write(ShownText("session-a", 1, "es", "Corregido"))
    leased = await reviewing.leases.lease("Ana")
    assert leased is not None
    assert (leased.source_text, leased.target_text) == ("Put right", "Corregido")
    assert leased.machine.pair.target_text.startswith("El río")


async def test_of_a_forgotten_session_no_key_tells(reviewing: Reviewing) -> None:
    await reviewing.add([0.5, 0.6, 0.55])
    await reviewing.add([0.58], "session-b")
    await reviewing.write(ShownText("session-a", 1, "es", "Corregido"))
    decided = await reviewing.leases.lease("Ana", "session-a")
    assert decided is not None
    await reviewing.decide(decided)
    skipped = await reviewing.leases.lease("Ana", "session-a")
    await reviewing.leases.release(lease_id(skipped), skip=True)
    left_open = await reviewing.leases.lease("Ana", "session-a")
    assert reviewing.keys_with("session-a")
    while "session-a" in str(reviewing.keys_with("session-a")):
        await reviewing.write(ForgottenSession(1000, "session-a"))
    assert reviewing.keys_with("session-a") == []
    # A decision that was on its way leaves nothing, either.
    assert left_open is not None
    await reviewing.decide(left_open)
    assert reviewing.keys_with("session-a") == []
    with pytest.raises(Superseded):
        await reviewing.leases.renew(lease_id(left_open))
    with pytest.raises(NotFound) as error:
        await reviewing.leases.lease("Ben", pair_id="session-a/1/es")
    assert error.value.reason == "UNKNOWN_PAIR"
    assert pair_id(await reviewing.leases.lease("Ana")) == "session-b/1/es"


async def test_a_restarted_redis_still_knows_who_has_what(tmp_path: Path) -> None:
    redis = RedisProcess(
        port("redis", free_port_base()), tmp_path, "--appendonly", "yes", "--appendfsync", "always"
    )
    redis.start()
    reviewing = Reviewing(redis)
    try:
        await reviewing.add([0.5, 0.6])
        leased = await reviewing.leases.lease("Ana")
        redis.kill()
        with pytest.raises(Unavailable) as error:
            await reviewing.leases.lease("Ben")
        assert error.value.reason == "QUEUE_UNAVAILABLE"
        redis.start()
        assert pair_id(await reviewing.leases.lease("Ben")) == "session-a/2/es"
        assert lease_id(await reviewing.leases.lease("Ana")) == lease_id(leased)
    finally:
        await reviewing.close()
        redis.kill()


async def test_a_lease_among_ten_thousand_open_pairs_is_quick(reviewing: Reviewing) -> None:
    client = reviewing.redis.client
    await reviewing.add([0.5])
    item = client.hget("glossa:review:items:session-a", "session-a/1/es")
    for session in range(10):
        ids = [f"session-{session}/{segment}/es" for segment in range(1000)]
        client.hset(f"glossa:review:items:session-{session}", mapping=dict.fromkeys(ids, item))
        client.zadd("glossa:review:open", dict.fromkeys(ids, 0.1))
    took_s = []
    for number in range(40):
        started = time.perf_counter()
        await reviewing.leases.lease(f"reviewer {number}", f"session-{number % 10}")
        await reviewing.leases.lease(f"reviewer {number}")
        await reviewing.leases.progress("session-5")
        took_s.append(time.perf_counter() - started)
    assert sorted(took_s)[20] < 0.1  # a few milliseconds on a machine that has nothing else to do
