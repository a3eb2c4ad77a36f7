"""The whole live path with real engines: nothing is lost, nothing comes twice, nothing mixes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from jiwer import wer

from cli.client import CaptionSubscriber, Chunk
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.audio import SAMPLE_RATE_HERTZ
from tests.e2e.stack import Display, UpStack, speak, texts
from tests.speech import Pcm, silence, spoken, with_pauses

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SENTENCES = (
    "In the beginning God created the heavens and the earth.",
    "The people came together in the morning to hear the word.",
    "There is bread on the table for everyone who is hungry.",
    "He walked along the road with two of his friends.",
    "The children were singing in the house of the Lord.",
    "We give thanks for the water and for the light.",
    "She told them that the stone had been rolled away.",
    "The night was dark and the wind was very strong.",
)
# Twice real time: fast, and slow enough for the recogniser to keep up on two cores.
SPEED = 2.0


@pytest.fixture(scope="module")
def sermon() -> Pcm:
    return with_pauses(*(spoken(sentence) for sentence in SENTENCES))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[UpStack]:
    # Hours of silence come as fast as they are taken.
    stack = UpStack(tmp_path_factory.mktemp("stack"), GLOSSA_GATEWAY_AUDIO_BURST_S=7200)
    await stack.start()
    try:
        yield stack
    finally:
        assert stack.stop() == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(stack: UpStack, sermon: Pcm) -> dict[int, str]:
    """What is recognised when nothing dies."""
    closed = await speak(stack.speaker(speed=0), sermon)
    finals = texts(await stack.events(closed.session_id), "transcript")
    assert len(finals) >= len(SENTENCES)
    return finals


@pytest.mark.parametrize("victim", ["stt", "mt", "qe", "captions", "collector", "gateway"])
async def test_nothing_is_lost_or_doubled_when_a_service_is_killed(
    stack: UpStack, sermon: Pcm, undisturbed: dict[int, str], victim: str
) -> None:
    display = Display(stack.address("captions"))
    watching = asyncio.create_task(display.watch())
    speaker = stack.speaker(speed=SPEED, title=f"{victim} dies")
    speaking = asyncio.create_task(speak(speaker, sermon))
    duration_s = len(sermon) / 16_000
    for share in (0.3, 0.65):
        while speaker.sent_s < share * duration_s:
            assert not speaking.done(), "the session ended before the service was killed"
            await asyncio.sleep(0.05)
        await stack.kill_service(victim)
    closed = await speaking

    events = await stack.events(closed.session_id)
    finals = texts(events, "transcript")
    assert sorted(finals) == list(range(1, closed.final_count + 1))
    if victim in ("stt", "gateway"):
        # A replay begins at a settled sample, where the recogniser's own state is fresh: the same
        # speech comes back, perhaps with a word heard otherwise.
        assert len(finals) == len(undisturbed)
        assert wer(" ".join(undisturbed.values()), " ".join(finals.values())) < 0.15
    else:
        assert finals == undisturbed
    translations = texts(events, "translation")
    assert sorted(translations) == sorted(finals)
    assert not [event for event in events if event.HasField("audio_gap")]

    stats = await stack.stats_after(events[-1].sequence, closed.session_id)
    queued = stack.queued_pair_ids(closed.session_id)
    excluded = sum(exclusion.pair_count for exclusion in stats.exclusions)
    assert len(queued) == len(set(queued))
    assert len(queued) + excluded == len(finals)

    await wait_until_shown(display, closed.session_id, translations)
    watching.cancel()
    assert display.texts(closed.session_id, "en") == finals
    assert display.texts(closed.session_id, "es") == translations
    assert len(display.sequences) == len(set(display.sequences)), "an event was shown twice"


async def wait_until_shown(display: Display, session_id: str, translations: dict[int, str]) -> None:
    async with asyncio.timeout(20):
        while display.texts(session_id, "es") != translations:
            await asyncio.sleep(0.05)


async def test_captions_never_wait_for_redis(stack: UpStack, undisturbed: dict[int, str]) -> None:
    """Frozen, it is killed and started again after a while; here the session is over by then."""
    display = Display(stack.address("captions"))
    watching = asyncio.create_task(display.watch())
    redis_pid = stack.description()["services"]["redis"]["pid"]
    os.kill(redis_pid, signal.SIGSTOP)
    closed = await speak(stack.speaker(speed=0), with_pauses(*(spoken(s) for s in SENTENCES[:3])))
    events = await stack.events(closed.session_id)
    await wait_until_shown(display, closed.session_id, texts(events, "translation"))
    watching.cancel()
    assert stack.description()["services"]["redis"]["pid"] == redis_pid, "it was frozen too briefly"
    os.kill(redis_pid, signal.SIGCONT)

    stats = await stack.stats_after(events[-1].sequence, closed.session_id)
    queued = stack.queued_pair_ids(closed.session_id)
    assert len(queued) == len(set(queued))
    excluded = sum(exclusion.pair_count for exclusion in stats.exclusions)
    assert len(queued) + excluded == closed.final_count == 3


async def test_two_sessions_at_once_do_not_mix(stack: UpStack) -> None:
    speeches = [
        with_pauses(*(spoken(sentence) for sentence in SENTENCES[start : start + 2]))
        for start in (0, 2)
    ]
    alone = [
        texts(
            await stack.events((await speak(stack.speaker(speed=0), speech)).session_id),
            "transcript",
        )
        for speech in speeches
    ]
    together = await asyncio.gather(*(speak(stack.speaker(speed=1), speech) for speech in speeches))
    for closed, expected in zip(together, alone, strict=True):
        events = await stack.events(closed.session_id)
        assert texts(events, "transcript") == expected
        assert events[-1].session_id == closed.session_id


async def test_a_late_display_gets_the_whole_session_and_a_returning_one_what_it_missed(
    stack: UpStack, undisturbed: dict[int, str]
) -> None:
    early = Display(stack.address("captions"))
    watching = asyncio.create_task(early.watch())
    closed = await speak(stack.speaker(speed=0), with_pauses(*(spoken(s) for s in SENTENCES[:3])))
    events = await stack.events(closed.session_id)
    translations = texts(events, "translation")
    await wait_until_shown(early, closed.session_id, translations)
    watching.cancel()
    late = Display(stack.address("captions"))
    watching = asyncio.create_task(late.watch())
    await wait_until_shown(late, closed.session_id, translations)
    watching.cancel()
    assert late.finals.keys() >= early.finals.keys()

    known = [sequence for sequence in late.sequences if sequence >= events[0].sequence]
    seen, missed = known[len(known) // 2], known[len(known) // 2 + 1 :]
    returning = CaptionSubscriber(
        stack.address("captions"), session_id=closed.session_id, after_sequence=seen
    )
    got = []
    async for event in returning.events():
        if event.HasField("caught_up"):
            break
        got.append(event.sequence)
    assert got == missed


async def test_a_correction_reaches_the_displays(
    stack: UpStack, undisturbed: dict[int, str]
) -> None:
    closed = await speak(stack.speaker(speed=0), with_pauses(*(spoken(s) for s in SENTENCES[:1])))
    await stack.events(closed.session_id)
    async with grpc.aio.insecure_channel(stack.address("gateway")) as channel:
        await gateway_pb2_grpc.GatewayServiceStub(channel).CorrectSegment(
            gateway_pb2.CorrectSegmentRequest(
                session_id=closed.session_id,
                segment_id=1,
                language="es",
                text="En el principio creó Dios los cielos y la tierra.",
                author="moderator",
            ),
            timeout=10,
        )
    display = Display(stack.address("captions"))
    watching = asyncio.create_task(display.watch())
    async with asyncio.timeout(20):
        while not display.texts(closed.session_id, "es").get(1, "").startswith("En el principio"):
            await asyncio.sleep(0.05)
    watching.cancel()


async def test_two_hours_of_silence_give_no_caption_and_end_in_good_order(stack: UpStack) -> None:
    """The speaker holds two minutes at most: silence must be settled as it comes."""
    second = silence(1.0).tobytes()

    async def two_hours() -> AsyncIterator[Chunk]:
        for number in range(2 * 60 * 60):
            yield Chunk(number * SAMPLE_RATE_HERTZ, second)

    closed = await stack.speaker(speed=0).stream(two_hours())
    assert closed.final_count == 0
    events = await stack.events(closed.session_id)
    assert [event.WhichOneof("event") for event in events] == ["session_started", "session_ended"]
    assert events[-1].session_ended.received_sample == 2 * 60 * 60 * SAMPLE_RATE_HERTZ
