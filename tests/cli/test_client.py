"""The client loses no audio, whatever happens to the gateway."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from cli.client import (
    Broken,
    Chunk,
    GapMarked,
    Opened,
    SessionRequest,
    SpeakerClient,
    SpeakerEvent,
    Waiting,
)
from cli.held_audio import HeldAudio, SendTimes
from cli.ledger import Ledger
from services.errors import InvalidInput, NotFound, Unavailable
from tests.gateway.conftest import Stack
from tests.gateway.peers import sentence, sermon
from tests.processes import free_port_base
from tests.speech import Pcm, chunks

REQUEST = SessionRequest("en", ("es",), "Test")


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One for all: a test that kills a part of it starts that part again."""
    stack = Stack(tmp_path_factory.mktemp("stack"))
    await stack.start()
    yield stack
    await stack.stop()


async def pieces(pcm: Pcm) -> AsyncIterator[Chunk]:
    for first_sample, data in chunks(pcm):
        yield Chunk(first_sample, data)


async def finals_of(stack: Stack, session_id: str) -> list[str]:
    ledger = Ledger(session_id)
    await ledger.read_on(stack.channel)
    return [ledger.finals[segment_id] for segment_id in sorted(ledger.finals)]


async def test_a_whole_session_arrives_and_its_end_is_told(stack: Stack) -> None:
    client = SpeakerClient(stack.gateway.address, REQUEST)
    closed = await client.stream(pieces(sermon(range(1, 6))))
    assert closed.final_count == 5
    assert await finals_of(stack, closed.session_id) == [sentence(n) for n in range(1, 6)]
    assert client.held_s == 0 or client.safe_sample > 0


async def test_speed_sets_the_pace(stack: Stack) -> None:
    pcm = sermon(range(1, 6))
    duration_s = len(pcm) / 16_000
    client = SpeakerClient(stack.gateway.address, REQUEST, speed=2)
    started_at = time.monotonic()
    await client.stream(pieces(pcm))
    assert time.monotonic() - started_at >= duration_s / 2
    spread_s = (client.sent_times.of(len(pcm)) or 0) - (client.sent_times.of(1) or 0)
    assert spread_s == pytest.approx(duration_s / 2, abs=0.4)


@pytest.mark.parametrize("speed", [4.0, 0.0])
async def test_a_killed_gateway_costs_no_final(stack: Stack, speed: float) -> None:
    numbers = range(1, 41)
    events: list[SpeakerEvent] = []
    client = SpeakerClient(stack.gateway.address, REQUEST, speed=speed, on_event=events.append)
    killed = asyncio.Event()

    async def interrupted() -> AsyncIterator[Chunk]:
        async for chunk in pieces(sermon(numbers)):
            if chunk.first_sample >= 160_000 and not killed.is_set():
                killed.set()
                stack.gateway.kill()
                stack.gateway.start()
            yield chunk

    async with asyncio.timeout(60):
        closed = await client.stream(interrupted())
    assert await finals_of(stack, closed.session_id) == [sentence(n) for n in numbers]
    assert any(isinstance(event, Broken) for event in events)
    assert any(isinstance(event, Opened) and event.resumed for event in events)
    assert not any(isinstance(event, GapMarked) for event in events)


async def test_a_gateway_that_stops_in_good_order_is_waited_for(stack: Stack) -> None:
    numbers = range(1, 21)
    client = SpeakerClient(stack.gateway.address, REQUEST, speed=4)

    async def restart() -> None:
        while client.received_sample < 48_000:
            await asyncio.sleep(0.05)
        stack.gateway.signal(signal.SIGTERM)
        await asyncio.to_thread(stack.gateway.stop)
        stack.gateway.start()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(restart())
        closed = await client.stream(pieces(sermon(numbers)))
    assert await finals_of(stack, closed.session_id) == [sentence(n) for n in numbers]


async def test_a_gap_in_the_source_is_told_and_marked(stack: Stack) -> None:
    events: list[SpeakerEvent] = []

    async def with_a_gap() -> AsyncIterator[Chunk]:
        yield Chunk(0, bytes(3200))
        yield Chunk(16_000, bytes(3200))

    client = SpeakerClient(stack.gateway.address, REQUEST, on_event=events.append)
    await client.stream(with_a_gap())
    assert GapMarked(1600, 16_000) in events


async def test_what_the_gateway_refuses_is_raised_with_its_reason(stack: Stack) -> None:
    with pytest.raises(InvalidInput) as refused:
        await SpeakerClient(stack.gateway.address, SessionRequest("xx", ("es",))).stream(
            pieces(sermon([1]))
        )
    assert refused.value.reason == "UNSUPPORTED_LANGUAGE"

    resuming = SpeakerClient(stack.gateway.address, REQUEST)
    resuming.session_id = "20200101-000000-nothing"
    with pytest.raises(NotFound) as unknown:
        await resuming.stream(pieces(sermon([1])))
    assert unknown.value.reason == "UNKNOWN_SESSION"


async def test_no_gateway_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.client.FIRST_OPEN_TIMEOUT_S", 1.0)
    address = f"127.0.0.1:{free_port_base()}"
    events: list[SpeakerEvent] = []
    client = SpeakerClient(address, REQUEST, on_event=events.append)
    with pytest.raises(Unavailable) as absent:
        await client.stream(pieces(sermon([1])))
    assert absent.value.reason == "GATEWAY_UNREACHABLE"
    told = f"no gateway answers at {address}; start the services with `./glossa up`"
    assert absent.value.message.startswith(told)
    [waiting] = events
    assert isinstance(waiting, Waiting)
    assert waiting.message.startswith(told)
    assert waiting.limit_s == 1.0


async def test_a_source_that_fails_ends_the_stream_with_its_error(stack: Stack) -> None:
    async def broken() -> AsyncIterator[Chunk]:
        yield Chunk(0, bytes(3200))
        raise Unavailable("MICROPHONE_UNAVAILABLE", "unplugged")

    with pytest.raises(Unavailable) as failed:
        await SpeakerClient(stack.gateway.address, REQUEST).stream(broken())
    assert failed.value.reason == "MICROPHONE_UNAVAILABLE"


async def test_no_more_audio_is_held_than_allowed(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stt away nothing becomes safe: the source is not read on for ever."""
    monkeypatch.setattr("cli.client.HELD_LIMIT_S", 2.0)
    stack.peers["stt"].kill()
    client = SpeakerClient(stack.gateway.address, REQUEST)
    pcm = sermon(range(1, 41))
    most_s = 0.0

    async def watch() -> None:
        nonlocal most_s
        while client.received_sample < 30_000:
            await asyncio.sleep(0.02)
            most_s = max(most_s, client.held_s)
        stack.peers["stt"].start()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        closed = await client.stream(pieces(pcm))
    assert closed.final_count == 40
    assert 2.0 <= most_s <= 2.2


async def test_held_audio_gives_back_any_sample_that_is_not_safe() -> None:
    held = HeldAudio()
    for first in range(0, 5000, 1000):
        held.add(first, np.arange(first, first + 1000, dtype="<i2").tobytes())
    held.add(7000, np.arange(7000, 7500, dtype="<i2").tobytes())
    held.release(1500)
    assert held.chunk_at(1500) == (1500, np.arange(1500, 2000, dtype="<i2").tobytes())
    assert held.chunk_at(0) == (1000, np.arange(1000, 2000, dtype="<i2").tobytes())
    assert held.chunk_at(5000) == (7000, np.arange(7000, 7500, dtype="<i2").tobytes())
    assert held.chunk_at(7500) is None
    assert held.held_s == (7500 - 1000) / 16_000


async def test_send_times_are_those_of_the_first_sending() -> None:
    times = SendTimes()
    times.add(1600, 1.0)
    times.add(3200, 2.0)
    times.add(1600, 9.0)
    assert times.of(1) == 1.0
    assert times.of(1600) == 1.0  # the last sample below 1600 is 1599
    assert times.of(1601) == 2.0
    assert times.of(3201) is None
