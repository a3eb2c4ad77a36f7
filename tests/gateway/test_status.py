"""How it goes, as an operator is told."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import closing

import numpy as np
import pytest

from glossa.gateway.v1 import gateway_pb2
from services.gateway.lags import Lags
from services.gateway.level import Level
from tests.gateway.conftest import Stack, Talk
from tests.gateway.peers import SPEECH_SAMPLES, sermon
from tests.gateway.test_sessions import StartStack

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVING = gateway_pb2.ENGINE_STATE_SERVING
UNREACHABLE = gateway_pb2.ENGINE_STATE_UNREACHABLE


async def status(stack: Stack) -> gateway_pb2.GetStatusResponse:
    return await stack.calls.GetStatus(gateway_pb2.GetStatusRequest(), timeout=5)


async def of_session(stack: Stack, session_id: str) -> gateway_pb2.SessionStatus:
    sessions = (await status(stack)).sessions
    return next(each for each in sessions if each.session_id == session_id)


async def of_engine(stack: Stack, name: str) -> gateway_pb2.EngineStatus:
    return next(each for each in (await status(stack)).engines if each.name == name)


async def until(is_so: Callable[[], Awaitable[bool]], within_s: float = 20.0) -> float:
    """Asks until it is so; returns how long it took."""
    asked_at = time.monotonic()
    async with asyncio.timeout(within_s):
        while not await is_so():
            await asyncio.sleep(0.05)
    return time.monotonic() - asked_at


async def test_an_open_session_says_what_it_is_and_how_it_goes(stack: Stack) -> None:
    talk = await Talk.begun(stack, title="Morning", target_languages=["es", "fr"])
    await talk.say(sermon([1]))
    await talk.say(sermon([2])[:SPEECH_SAMPLES])

    async def is_settled() -> bool:
        session = await of_session(stack, talk.session_id)
        return session.final_count == 1 and session.owed_translation_count == 0

    await until(is_settled)
    session = await of_session(stack, talk.session_id)
    assert (session.title, session.source_language) == ("Morning", "en")
    assert list(session.target_languages) == ["es", "fr"]
    assert session.has_speaker
    assert not session.is_held
    assert session.unsettled_ms == SPEECH_SAMPLES // 16
    assert abs(session.start_time.ToMilliseconds() / 1000 - time.time()) < 60
    lags = {lag.stage: lag for lag in session.lags}
    assert list(lags) == ["transcript", "translation:es", "translation:fr"]
    assert all(lag.count == 1 and 0 < lag.p50_ms <= lag.p95_ms for lag in lags.values())
    assert lags["translation:es"].p50_ms > lags["transcript"].p50_ms
    await talk.hold()
    assert (await of_session(stack, talk.session_id)).is_held
    talk.call.cancel()

    async def is_alone() -> bool:
        return not (await of_session(stack, talk.session_id)).has_speaker

    await until(is_alone)
    await talk.resume()
    await talk.end()
    assert talk.session_id not in {each.session_id for each in (await status(stack)).sessions}


async def test_translations_that_are_owed_are_counted_across_a_restart(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()
    stack.peers["mt"].kill()
    talk = await Talk.begun(stack, target_languages=["es", "fr"])
    await talk.say(sermon([1, 2, 3]))
    await talk.finals(3)
    assert (await of_session(stack, talk.session_id)).owed_translation_count == 6
    stack.gateway.kill()
    stack.gateway.start()
    await stack.gateway.wait_ready()
    session = await of_session(stack, talk.session_id)
    assert (session.final_count, session.owed_translation_count) == (3, 6)
    stack.peers["mt"].start()

    async def is_paid() -> bool:
        return (await of_session(stack, talk.session_id)).owed_translation_count == 0

    await until(is_paid)


async def test_the_meter_shows_the_newest_audio_and_then_nothing(stack: Stack) -> None:
    talk = await Talk.begun(stack)
    assert not (await of_session(stack, talk.session_id)).HasField("level_dbfs")
    await talk.say(np.zeros(8_000, dtype=np.int16))
    silent = await of_session(stack, talk.session_id)
    assert (silent.level_dbfs, silent.peak_dbfs) == (-100, -100)
    await talk.say(np.tile(np.array([16_384, 384], dtype=np.int16), 4_000))
    loud = await of_session(stack, talk.session_id)
    assert loud.peak_dbfs == pytest.approx(-6.0, abs=0.1)
    assert loud.level_dbfs == pytest.approx(-9.0, abs=0.1)

    async def is_dark() -> bool:
        return not (await of_session(stack, talk.session_id)).HasField("level_dbfs")

    assert 1 < await until(is_dark) < 5
    await talk.end()


async def test_the_loudest_sample_and_full_scale_are_no_more_than_0_dbfs() -> None:
    level = Level()
    level.take(np.full(16_000, -32_768, dtype="<i2").tobytes())
    loudness = level.now()
    assert loudness is not None
    assert (loudness.level_dbfs, loudness.peak_dbfs) == (0, 0)


async def test_lags_are_those_of_the_newest_finals() -> None:
    lags = Lags(["es"])
    assert lags.figures() == []
    for segment_id in range(100):
        lags.heard(segment_id, time.monotonic() - (10 if segment_id < 50 else 1))
    (figure,) = lags.figures()
    assert (figure.stage, figure.count) == ("transcript", 64)
    assert figure.p50_ms == pytest.approx(1_000, abs=200)
    assert figure.p95_ms == pytest.approx(10_000, abs=200)
    lags.translated(0, "es")  # too long ago to be remembered
    assert len(lags.figures()) == 1


async def test_a_frozen_and_a_dead_engine_are_noticed_and_so_is_their_return(
    own_stack: StartStack,
) -> None:
    stack = await own_stack()

    def is_in(name: str, state: gateway_pb2.EngineState) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return (await of_engine(stack, name)).state == state

        return look

    for name in ("stt", "mt", "qe"):
        await until(is_in(name, SERVING))
        assert (await of_engine(stack, name)).model.startswith("rule/")
    os.kill(stack.peers["stt"].pid, signal.SIGSTOP)
    stack.peers["qe"].kill()
    try:
        assert await until(is_in("stt", UNREACHABLE)) < 5
        assert await until(is_in("qe", UNREACHABLE)) < 5
        assert "has not answered" in (await of_engine(stack, "stt")).detail
        assert "nothing answers" in (await of_engine(stack, "qe")).detail
        assert (await of_engine(stack, "mt")).state == SERVING
    finally:
        os.kill(stack.peers["stt"].pid, signal.SIGCONT)
    stack.peers["qe"].start()
    await until(is_in("stt", SERVING))
    await until(is_in("qe", SERVING))
    assert (await of_engine(stack, "stt")).detail == ""


async def test_it_answers_at_once_while_the_disk_and_stt_do_not(own_stack: StartStack) -> None:
    stack = await own_stack()
    talk = await Talk.begun(stack)
    await talk.say(sermon(range(1, 9)))
    os.kill(stack.peers["stt"].pid, signal.SIGSTOP)
    try:
        with closing(sqlite3.connect(stack.folder / "journal.db", isolation_level=None)) as disk:
            disk.execute("BEGIN IMMEDIATE")
            durations_s = []
            for _ in range(50):
                asked_at = time.perf_counter()
                assert (await status(stack)).sessions[0].session_id == talk.session_id
                durations_s.append(time.perf_counter() - asked_at)
            disk.execute("ROLLBACK")
    finally:
        os.kill(stack.peers["stt"].pid, signal.SIGCONT)
    assert sorted(durations_s)[25] < 0.01
