"""What followers see of a translation as it comes, and what mt is given for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import grpc
import pytest

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import models_pb2, models_pb2_grpc, types_pb2
from services.settings import port
from tests.gateway.conftest import Stack, audio, drained, open_stream
from tests.gateway.peers import (
    DOUBTFUL_SENTENCE,
    GROWING_SENTENCE,
    HANGING_DRAFT_SENTENCE,
    sentence,
    sermon,
)
from tests.gateway.test_sessions import StartStack, of_kind
from tests.speech import chunks

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHUNK_INTERVAL_S = 0.05  # slow enough that each partial of 100 ms gets its draft


class Watched:
    """A session spoken at a pace at which drafts are made, and all that a follower saw of it."""

    def __init__(self, responses: Sequence[gateway_pb2.FollowResponse]) -> None:
        events = [r.event for r in responses if r.HasField("event")]
        self.finals = of_kind(events, "translation")
        self.failed = of_kind(events, "translation_failed")
        self.live = [
            r.live.translation
            for r in responses
            if r.HasField("live") and r.live.HasField("translation")
        ]

    def shown(self, segment_id: int, language: str = "es") -> list[types_pb2.Translation]:
        """Everything shown of a segment in a language, the final last."""
        return [
            t
            for t in (*self.live, *self.finals)
            if (t.segment_id, t.language) == (segment_id, language)
        ]


async def watch(stack: Stack, numbers: list[int], **config: object) -> Watched:
    call = stack.calls.StreamAudio(timeout=60)
    session_id = (await open_stream(call, **config)).session_id
    following = stack.journal.Follow(
        gateway_pb2.FollowRequest(session_id=session_id, live=True), timeout=60
    )

    following_live = asyncio.Event()

    async def follow() -> list[gateway_pb2.FollowResponse]:
        responses = []
        async for response in following:
            responses.append(response)
            if response.HasField("caught_up"):
                following_live.set()
            if response.event.HasField("session_ended"):
                return responses
        raise AssertionError("the stream ended")

    seeing = asyncio.create_task(follow())
    await following_live.wait()
    for first_sample, data in chunks(sermon(numbers)):
        await call.write(audio(first_sample, data))
        await asyncio.sleep(CHUNK_INTERVAL_S)
    await call.done_writing()
    await drained(call)
    responses = await seeing
    following.cancel()
    return Watched(responses)


def given(translation: types_pb2.Translation) -> dict[str, str]:
    """What mt was given beside the text, as the peer says."""
    return {term.source: term.target for term in translation.glossary_terms}


async def mt_counts(stack: Stack) -> tuple[int, int]:
    """(draft calls cancelled, the most that were in flight together) of the mt peer."""
    address = stack.gateway.address.rsplit(":", 1)[0]
    base = int(stack.gateway.address.rsplit(":", 1)[1]) - port("gateway", 0)
    async with grpc.aio.insecure_channel(f"{address}:{port('mt', base)}") as channel:
        stub = models_pb2_grpc.ModelServiceStub(channel)
        answer = await stub.GetModel(models_pb2.GetModelRequest(), timeout=10)
    cancelled, most = answer.model.split()
    return int(cancelled), int(most)


async def test_a_final_grows_on_displays_and_its_event_comes_over_it(stack: Stack) -> None:
    watched = await watch(stack, [GROWING_SENTENCE])
    shown = watched.shown(1)
    assert shown[-1].is_final
    assert not any(translation.is_final for translation in shown[:-1])
    whole = f"[es] {sentence(GROWING_SENTENCE)}"
    assert shown[-1].text == shown[-1].stable_text == whole
    revisions = [translation.revision for translation in shown]
    assert revisions == sorted(set(revisions))
    assert [t.text for t in shown if t.text == whole][:-1], "it was never shown while it grew"


async def test_a_growing_final_is_never_shorter_than_the_draft_it_replaces(stack: Stack) -> None:
    shown = (await watch(stack, [GROWING_SENTENCE])).shown(1)
    counts = [len(translation.text.split()) for translation in shown]
    assert counts == sorted(counts)


async def test_what_mt_measured_is_journalled(stack: Stack) -> None:
    (final,) = (await watch(stack, [DOUBTFUL_SENTENCE])).finals
    assert (final.token_count, final.first_token_ms, final.generation_ms) == (4, 2, 3)
    assert list(final.flags) == ["runaway"]


async def test_a_final_goes_along_with_the_two_before_it(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1]))
    watched = await watch(stack, [1, DOUBTFUL_SENTENCE, 3, 4, 5])
    context = {
        term.source: term.target
        for term in watched.finals[-1].glossary_terms
        if term.source.startswith("Sentence")
    }
    assert context == {sentence(n): f"[es] {sentence(n)}" for n in (3, 4)}
    third = next(t for t in watched.finals if t.segment_id == 3)
    assert sentence(DOUBTFUL_SENTENCE) not in given(third)
    (alone,) = of_kind(await stack.scored_events(session_id, 1), "translation")
    assert not any(source.startswith("Sentence") for source in given(alone))


async def test_a_corrected_text_is_the_context_even_after_a_restart(own_stack: StartStack) -> None:
    stack = await own_stack()
    pcm = sermon([1, 2])
    half = len(pcm) // 2
    call = stack.calls.StreamAudio(timeout=30)
    session_id = (await open_stream(call)).session_id
    for first_sample, data in chunks(pcm[:half]):
        await call.write(audio(first_sample, data))
    following = stack.journal.Follow(gateway_pb2.FollowRequest(session_id=session_id), timeout=30)
    async for response in following:
        if response.event.HasField("translation"):
            break
    following.cancel()
    await stack.calls.CorrectSegment(
        gateway_pb2.CorrectSegmentRequest(
            session_id=session_id, segment_id=1, language="es", text="Corregido"
        )
    )
    stack.gateway.kill()
    stack.gateway.start()
    await stack.gateway.wait_ready()
    call = stack.calls.StreamAudio(timeout=30)
    opened = await open_stream(call, session_id=session_id)
    for first_sample, data in chunks(pcm[opened.next_sample :]):
        await call.write(audio(opened.next_sample + first_sample, data))
    await call.done_writing()
    await drained(call)
    second = of_kind(await stack.scored_events(session_id, 2), "translation")[-1]
    assert given(second)[sentence(1)] == "Corregido"


async def test_drafts_say_what_they_keep_and_are_told_what_was_shown(stack: Stack) -> None:
    watched = await watch(stack, [1, 2])
    drafts = [t for t in watched.live if t.segment_id == 2]
    assert len(drafts) >= 2
    stable = [draft.stable_text for draft in drafts]
    assert stable == sorted(stable, key=len)
    assert all(d.text.startswith(d.stable_text) for d in drafts)
    assert stable[-1]
    assert given(drafts[-1])["previous_text"] == drafts[-2].text


FORCED = {
    "same_model": {"es": True, "fr": False},
    "always": {"es": True, "fr": True},
    "never": {"es": False, "fr": False},
}


@pytest.mark.parametrize("setting", FORCED)
async def test_only_words_of_the_finals_own_model_are_forced_on_it(
    own_stack: StartStack, setting: str
) -> None:
    """French drafts come from another model than French finals."""
    stack = await own_stack(force_committed_prefix=setting)
    watched = await watch(stack, [1, 2], target_languages=["es", "fr"])
    for final in watched.finals:
        if final.segment_id == 2:
            assert ("committed_text" in given(final)) == FORCED[setting][final.language]
            drafts = [t for t in watched.shown(2, final.language) if not t.is_final]
            assert given(final)["previous_text"] == drafts[-1].text


async def test_many_languages_share_a_few_draft_calls_in_turn(own_stack: StartStack) -> None:
    stack = await own_stack(draft_concurrency=1)
    watched = await watch(stack, [1, 2, 3, 4], target_languages=["es", "fr"])
    drafted = [draft.language for draft in watched.live]
    assert drafted.count("es") >= 2
    assert abs(drafted.count("es") - drafted.count("fr")) <= len(drafted) // 4
    assert (await mt_counts(stack))[1] == 1


async def test_a_draft_that_the_final_overtakes_is_cancelled_in_mt(own_stack: StartStack) -> None:
    stack = await own_stack(draft_timeout_s=60)
    watched = await watch(stack, [HANGING_DRAFT_SENTENCE, 2])
    assert [t.segment_id for t in watched.finals] == [1, 2]
    cancelled, _ = await mt_counts(stack)
    assert cancelled == 1
    assert any(draft.segment_id == 2 for draft in watched.live), "the next one was kept waiting"
