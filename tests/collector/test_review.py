"""The review from end to end: a real gateway and journal, a real collector, a real Redis."""

from __future__ import annotations

import asyncio
import io
import wave
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from glossa.collector.v1 import collector_pb2
from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.errors import reason_of
from tests.collector.review_stack import ReviewStack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ACCEPTED = types_pb2.DECISION_ACCEPTED
FIXED = types_pb2.DECISION_FIXED
REJECTED = types_pb2.DECISION_REJECTED


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReviewStack]:
    stack = ReviewStack(tmp_path_factory.mktemp("review"))
    try:
        await stack.start()
        yield stack
    finally:
        await stack.stop()


async def refused(call: object) -> str:
    """The reason for which a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return reason_of(error.value)


async def test_a_fixed_pair_is_gold_exactly_once_and_displays_learn_of_it(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(2)
    item = (await stack.lease("Ana", session_id)).item
    assert item.reasons
    assert item.pair.band != collector_pb2.BAND_CORRECTED
    answers = [
        await stack.submit(item.lease_id, FIXED, item.pair.source_text, "Se dijo otra cosa")
        for _ in range(3)  # its answer was lost, and it was sent again
    ]
    assert len({answer.sequence for answer in answers}) == 1
    await stack.until_reviewed(session_id, 1)
    corrected = stack.corrected(session_id)
    assert [(entry["pair_id"], entry["target_text"]) for entry in corrected] == [
        (item.pair.pair_id, "Se dijo otra cosa")
    ]
    assert corrected[0]["reviewer"] == "Ana"
    corrections = await stack.journalled(session_id, "correction")
    assert [event.correction.text for event in corrections] == ["Se dijo otra cosa"]
    assert len(await stack.journalled(session_id, "pair_reviewed")) == 1
    assert await refused(stack.lease("Ben", pair_id=item.pair.pair_id)) == "ALREADY_REVIEWED"
    # The same person's other window has the same lease: what it says is not taken for the same.
    other = stack.submit(item.lease_id, FIXED, item.pair.source_text, "Otra cosa")
    assert await refused(other) == "LEASE_LOST"


async def test_every_pair_is_decided_once_by_reviewers_on_two_collectors(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(12)
    other = await stack.another_collector()
    decided: list[str] = []

    async def review(calls: object, reviewer: str) -> None:
        while True:
            answer = await calls.LeaseReview(
                collector_pb2.LeaseReviewRequest(reviewer=reviewer, session_id=session_id),
                timeout=10,
            )
            if not answer.HasField("item"):
                return
            await calls.SubmitReview(
                collector_pb2.SubmitReviewRequest(lease_id=answer.item.lease_id, decision=ACCEPTED),
                timeout=20,
            )
            decided.append(answer.item.pair.pair_id)

    await asyncio.gather(
        *(
            review(calls, f"{name} {n}")
            for n in range(3)
            for name, calls in (("Ana", stack.calls), ("Ben", other))
        )
    )
    assert len(decided) == len(set(decided)) == 12
    await stack.until_reviewed(session_id, 12)
    assert sorted(entry["pair_id"] for entry in stack.corrected(session_id)) == sorted(decided)


async def test_a_rejected_pair_is_a_tombstone(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    item = (await stack.lease("Ana", session_id)).item
    await stack.submit(item.lease_id, REJECTED)
    await stack.until_reviewed(session_id, 1)
    assert [entry["decision"] for entry in stack.corrected(session_id)] == ["rejected"]
    assert await stack.journalled(session_id, "correction") == []


async def test_undo_takes_the_decision_back_and_gives_the_pair_again(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    item = (await stack.lease("Ana", session_id)).item
    await stack.submit(item.lease_id, FIXED, item.pair.source_text, "Equivocado")
    answer = await stack.undo("Ana")
    assert answer.item.pair.pair_id == item.pair.pair_id
    assert answer.item.lease_id not in ("", item.lease_id)
    assert answer.item.pair.target_text == item.pair.target_text
    assert not (await stack.lease("Ben", session_id)).HasField("item")
    await stack.submit(answer.item.lease_id, ACCEPTED)
    await stack.until_reviewed(session_id, 1)
    decisions = [entry["decision"] for entry in stack.corrected(session_id)]
    assert decisions == ["fixed", "withdrawn", "accepted"]


async def test_who_decided_nothing_has_nothing_to_undo(stack: ReviewStack) -> None:
    assert await refused(stack.undo("Nobody")) == "NOTHING_TO_UNDO"


async def test_a_pair_whose_text_changed_meanwhile_is_neither_accepted_nor_fixed_unseen(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(1)
    item = (await stack.lease("Ana", session_id)).item
    await stack.gateway.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="es", text="Corregido", author="Mo"
        ),
        timeout=10,
    )
    texts = (item.pair.source_text, item.pair.target_text)
    assert await refused(stack.submit(item.lease_id, ACCEPTED, *texts)) == "INVALID_DECISION"
    fix = stack.submit(
        *(item.lease_id, FIXED, "It was said otherwise", texts[1]),
        shown_source_text=texts[0],
        shown_target_text=texts[1],
    )
    assert await refused(fix) == "INVALID_DECISION"
    assert await stack.journalled(session_id, "pair_reviewed") == []
    async with asyncio.timeout(20):
        while (again := (await stack.lease("Ana", session_id)).item).pair.target_text == texts[1]:
            await asyncio.sleep(0.02)
    assert (again.lease_id, again.pair.target_text) == (item.lease_id, "Corregido")
    await stack.submit(again.lease_id, ACCEPTED, again.pair.source_text, "Corregido")
    await stack.until_reviewed(session_id, 1)


async def test_a_decision_survives_the_gateway_being_away(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    item = (await stack.lease("Ana", session_id)).item
    stack.gateway.gateway.kill()
    assert await refused(stack.submit(item.lease_id, ACCEPTED)) == "GATEWAY_UNAVAILABLE"
    assert not (await stack.lease("Ben", session_id)).HasField("item")  # it is still Ana's
    stack.gateway.gateway.start()
    await stack.gateway.gateway.wait_ready()
    async with asyncio.timeout(20):
        while not await accepted(stack, item.lease_id):
            await asyncio.sleep(0.05)
    await stack.until_reviewed(session_id, 1)
    assert len(stack.corrected(session_id)) == 1


async def accepted(stack: ReviewStack, lease_id: str) -> bool:
    """Whether the gateway was there to take it."""
    try:
        await stack.submit(lease_id, ACCEPTED)
    except grpc.aio.AioRpcError as error:
        if reason_of(error) == "GATEWAY_UNAVAILABLE":
            return False
        raise
    return True


async def test_a_decision_is_one_although_the_collector_died_before_it_settled(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(1)
    item = (await stack.lease("Ana", session_id)).item
    # What a collector has done that dies between the journal and the lease.
    await stack.gateway.calls.ReviewPair(
        gateway_pb2.ReviewPairRequest(
            session_id=session_id,
            segment_id=1,
            language="es",
            decision=ACCEPTED,
            reviewer="Ana",
            review_id=item.lease_id.rpartition("~")[2],
        ),
        timeout=10,
    )
    await stack.until_reviewed(session_id, 1)
    stack.collector.kill()
    stack.collector.start()
    await stack.collector.wait_ready()
    stack.calls = stack.connect(stack.collector)
    assert not (await stack.lease("Ben", session_id)).HasField("item")
    await stack.submit(item.lease_id, ACCEPTED)
    assert len(await stack.journalled(session_id, "pair_reviewed")) == 1
    assert len(stack.corrected(session_id)) == 1
    assert (await stack.undo("Ana")).item.pair.pair_id == item.pair.pair_id


async def test_a_decision_that_the_collector_did_not_live_to_settle_can_be_undone(
    stack: ReviewStack,
) -> None:
    session_id = await stack.preach(1)
    item = (await stack.lease("Ana", session_id)).item
    await stack.gateway.calls.ReviewPair(
        gateway_pb2.ReviewPairRequest(
            session_id=session_id,
            segment_id=1,
            language="es",
            decision=REJECTED,
            reviewer="Ana",
            review_id="r" * 64,  # as long as another program may have made it
        ),
        timeout=10,
    )
    await stack.until_reviewed(session_id, 1)
    assert (await stack.undo("Ana")).item.pair.pair_id == item.pair.pair_id
    assert (await stack.progress(session_id)).open_count == 1


async def test_a_forgotten_session_is_gone_from_under_its_reviewer(stack: ReviewStack) -> None:
    session_id = await stack.preach(2)
    item = (await stack.lease("Ana", session_id)).item
    await stack.gateway.calls.ForgetSession(
        gateway_pb2.ForgetSessionRequest(session_id=session_id), timeout=20
    )
    reasons = {await refused(stack.submit(item.lease_id, ACCEPTED))}
    async with asyncio.timeout(20):
        while (await stack.progress(session_id)).open_count:
            await asyncio.sleep(0.02)
    reasons.add(await refused(stack.submit(item.lease_id, ACCEPTED)))
    assert reasons <= {"UNKNOWN_SESSION", "UNKNOWN_PAIR", "LEASE_LOST"}
    assert await refused(stack.lease("Ana", pair_id=item.pair.pair_id)) == "UNKNOWN_PAIR"
    assert not [key for key in stack.redis.client.scan_iter("*") if session_id in key]


async def test_audio_comes_as_a_wav_file_where_it_was_kept(stack: ReviewStack) -> None:
    kept = await stack.preach(2, store_audio=True)
    item = (await stack.lease("Ana", kept)).item
    assert item.has_audio
    wav = await fetched(stack, item.pair.pair_id)
    with wave.open(io.BytesIO(wav)) as reader:
        assert (reader.getnchannels(), reader.getframerate()) == (1, 16_000)
        said_s = (item.pair.end_offset_ms - item.pair.start_offset_ms) / 1000
        assert said_s <= reader.getnframes() / 16_000 <= said_s + 1.0
        assert len(reader.readframes(10**9)) == 2 * reader.getnframes()
    not_kept = await stack.preach(1)
    item = (await stack.lease("Ana", not_kept)).item
    assert not item.has_audio
    assert await refused(fetched(stack, item.pair.pair_id)) == "AUDIO_NOT_STORED"
    assert await refused(fetched(stack, "no/1/es")) == "UNKNOWN_PAIR"


async def fetched(stack: ReviewStack, pair_id: str) -> bytes:
    call = stack.calls.FetchReviewAudio(
        collector_pb2.FetchReviewAudioRequest(pair_id=pair_id), timeout=20
    )
    return b"".join([answer.data async for answer in call])


async def test_wrong_requests_are_refused_by_name(stack: ReviewStack) -> None:
    session_id = await stack.preach(1)
    item = (await stack.lease("Ana", session_id)).item
    for reviewer in ("", "  ", "two\nlines", "x" * 201):
        assert await refused(stack.lease(reviewer)) == "INVALID_REVIEWER"
    assert await refused(stack.submit(item.lease_id, 0)) == "INVALID_DECISION"
    assert (
        await refused(stack.submit(item.lease_id, types_pb2.DECISION_WITHDRAWN))
        == "INVALID_DECISION"
    )
    assert await refused(stack.submit("no lease", ACCEPTED)) == "LEASE_LOST"
    too_long = "x" * 2001
    assert await refused(stack.submit(item.lease_id, FIXED, too_long)) == "TEXT_TOO_LONG"
    for page_size in (-1, 1001):
        request = collector_pb2.ListForReviewRequest(page_size=page_size)
        assert await refused(stack.calls.ListForReview(request, timeout=5)) == "INVALID_PAGE_SIZE"
