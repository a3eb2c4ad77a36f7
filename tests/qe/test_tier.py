"""One engine with its queue: batches, bad pairs, deadlines, breakage and mending."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator

import pytest

from services.conditions import Conditions
from services.errors import DeadlinePassed, Overloaded
from services.qe import tier as tiers
from services.qe.engine import ENGINES, SMOKE_PAIR, Pair
from services.qe.queue import Scores
from services.qe.settings import QeSettings
from services.qe.tier import Tier
from tests.qe import scripted
from tests.qe.scripted import ENTRY, Script


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.setitem(ENGINES, "scripted", ENTRY)
    monkeypatch.setattr(scripted, "script", Script())
    monkeypatch.setattr(tiers, "FIRST_REST_S", 0.01)
    return scripted.script


@contextlib.asynccontextmanager
async def running(conditions: Conditions | None = None, **settings: object) -> AsyncIterator[Tier]:
    read = QeSettings(**{"batch_wait_ms": 0, **settings})  # type: ignore[arg-type]
    tier = Tier("scripted", read, conditions or Conditions())
    await tier.start()
    try:
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(tier.run())
            yield tier
            worker.cancel()
    finally:
        await tier.close()


def pairs(*texts: str) -> list[Pair]:
    return [Pair(text, "hola", "en", "es") for text in texts]


def values(scores: Scores) -> list[float | None]:
    return [signal.value for score in scores for signal in score]


async def test_two_engines_are_never_loaded_at_once(script: Script) -> None:
    """transformers cannot: one of the models would be without its weights."""
    script.meeting = threading.Barrier(2, timeout=1.0)
    first, second = (Tier("scripted", QeSettings(), Conditions()) for _ in range(2))
    await asyncio.gather(first.start(), second.start())
    for tier in (first, second):
        assert tier.is_there
        await tier.close()
    assert script.loads == 2
    assert not script.have_met


async def test_waiting_requests_go_through_together_and_get_their_own(script: Script) -> None:
    async with running(max_batch_pairs=4) as tier:
        script.may_go_on.clear()
        first = tier.enter(pairs("first"), None)
        await script.wait_for_batches(1)
        others = [
            tier.enter(pairs(*texts), None) for texts in (["good"], ["a", "good", "b"], ["c"])
        ]
        script.may_go_on.set()
        await first
        assert [values(await other) for other in others] == [[0.9], [0.5, 0.9, 0.5], [0.5]]
    assert script.batches == [["first"], ["good", "a", "good", "b"], ["c"]]


async def test_a_batch_with_room_waits_a_little_for_more(script: Script) -> None:
    async with running(max_batch_pairs=2, batch_wait_ms=1000) as tier:
        first = tier.enter(pairs("a"), None)
        await asyncio.sleep(0)
        second = tier.enter(pairs("b"), None)
        started_at = time.monotonic()
        await asyncio.gather(first, second)
        assert time.monotonic() - started_at < 0.9  # full, it does not wait on
    assert script.batches == [["a", "b"]]


async def test_who_cannot_afford_to_wait_is_not_made_to(script: Script) -> None:
    async with running(batch_wait_ms=1000) as tier:
        assert values(await tier.enter(pairs("good"), time.monotonic() + 0.9)) == [0.9]


async def test_one_bad_pair_spoils_no_other(script: Script) -> None:
    async with running(max_batch_pairs=8) as tier:
        scores = await tier.enter(pairs("good", "a", "bad", "good", "nan", "beyond"), None)
        assert values(scores) == [0.9, 0.5, None, 0.9, None, None]
        assert scores[2][0].model == "scripted: ENGINE_FAILED"
        assert tier.is_there
        assert script.loads == 1
        # Alone it is the pair's fault as well: a plain one works.
        assert values(await tier.enter(pairs("bad"), None)) == [None]
        assert script.batches[-1] == [SMOKE_PAIR.source_text]
        assert tier.is_there


async def test_what_nobody_waits_for_is_not_run(script: Script) -> None:
    async with running(max_batch_pairs=2) as tier:
        script.may_go_on.clear()
        deadline = time.monotonic() + 0.05
        late = tier.enter(pairs("a", "b", "c", "d"), deadline)
        await script.wait_for_batches(1)
        given_up = tier.enter(pairs("given up"), None)
        kept = tier.enter(pairs("kept"), None)
        given_up.cancel()
        while time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        script.may_go_on.set()
        with pytest.raises(DeadlinePassed):
            await late
        assert values(await kept) == [0.5]
    assert script.batches == [["a", "b"], ["kept"]]


async def test_a_full_queue_refuses(script: Script) -> None:
    async with running(queue_size=1) as tier:
        script.may_go_on.clear()
        first = tier.enter(pairs("a"), None)
        await script.wait_for_batches(1)
        second = tier.enter(pairs("b"), None)
        with pytest.raises(Overloaded):
            tier.enter(pairs("c"), None)
        second.cancel()
        await asyncio.sleep(0)  # its place is free again
        third = tier.enter(pairs("d"), None)
        script.may_go_on.set()
        assert values(await first) == values(await third) == [0.5]


async def test_a_broken_engine_is_put_aside_and_loaded_again(script: Script) -> None:
    conditions = Conditions()
    async with running(conditions) as tier:
        assert conditions.lines() == []
        script.is_broken = True
        script.can_load = False
        (score,) = await tier.enter(pairs("good"), None)
        assert (score[0].value, score[0].model) == (None, "scripted: ENGINE_FAILED")
        async with asyncio.timeout(10):
            while script.loads < 3:  # it is tried again and again
                await asyncio.sleep(0.005)
        assert not tier.is_there
        (line,) = conditions.lines()
        assert line.startswith("warning: glossa.qe.v1.scripted: the quality engine scripted could")
        asked = len(script.batches)
        assert values(await tier.enter(pairs("good"), None)) == [None]
        assert len(script.batches) == asked, "an engine that rests is not asked"
        script.is_broken = False
        script.can_load = True
        async with asyncio.timeout(10):
            while not tier.is_there:
                await asyncio.sleep(0.005)
        assert conditions.lines() == []
        assert values(await tier.enter(pairs("good"), None)) == [0.9]
    assert script.closed == 2


async def test_an_engine_that_cannot_be_loaded_leaves_its_signal_unset(script: Script) -> None:
    script.can_load = False
    async with running() as tier:
        (score,) = await tier.enter(pairs("good"), None)
        assert (score[0].value, score[0].model) == (None, "scripted: MODEL_MISSING")
        assert not tier.is_there
        script.can_load = True
        replaced = await tier.load("another")
        assert replaced.current.model == "scripted/1"
        assert values(await tier.enter(pairs("good"), None)) == [0.9]
