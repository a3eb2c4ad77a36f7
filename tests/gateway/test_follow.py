"""What a follower gets of live updates when it reads more slowly than they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway.follow import Followers
from services.gateway.heard import append_transcript
from services.gateway.journal import Journal
from services.gateway.session_rows import start_session

Responses = AsyncIterator[gateway_pb2.FollowResponse]


@asynccontextmanager
async def following(folder: Path) -> AsyncIterator[tuple[Journal, Followers, Responses]]:
    """A journal with one session, "a", and a follower that has caught up with it."""
    followers = Followers()
    journal = Journal(folder / "journal.db", followers.publish)
    await journal.write(start_session, "a", gateway_pb2.SessionConfig(target_languages=["es"]))
    responses = followers.follow(journal, gateway_pb2.FollowRequest(live=True))
    while not (await anext(responses)).HasField("caught_up"):
        pass
    try:
        async with asyncio.timeout(10):
            yield journal, followers, responses
    finally:
        await responses.aclose()  # type: ignore[attr-defined]
        journal.close()


def partial(segment_id: int, text: str) -> gateway_pb2.LiveUpdate:
    transcript = types_pb2.Transcript(segment_id=segment_id, stable_text=text)
    return gateway_pb2.LiveUpdate(session_id="a", transcript=transcript)


def draft(segment_id: int, text: str) -> gateway_pb2.LiveUpdate:
    translation = types_pb2.Translation(segment_id=segment_id, language="es", text=text)
    return gateway_pb2.LiveUpdate(session_id="a", translation=translation)


def dropped(segment_id: int) -> gateway_pb2.LiveUpdate:
    return gateway_pb2.LiveUpdate(
        session_id="a", segment_dropped=gateway_pb2.SegmentDropped(segment_id=segment_id)
    )


def publish(followers: Followers, updates: Sequence[gateway_pb2.LiveUpdate]) -> None:
    for update in updates:
        followers.publish_live(update)


async def test_the_next_segment_does_not_hide_that_the_one_with_its_number_was_dropped(
    tmp_path: Path,
) -> None:
    async with following(tmp_path) as (_, followers, responses):
        publish(followers, [partial(1, "uh"), draft(1, "eh"), draft(2, "otro"), dropped(1)])
        publish(followers, [partial(1, "grace"), draft(1, "gracia")])
        expected = [draft(2, "otro"), dropped(1), partial(1, "grace"), draft(1, "gracia")]
        assert [(await anext(responses)).live for _ in expected] == expected


async def test_a_final_is_not_followed_by_the_drop_of_the_segment_that_had_its_number(
    tmp_path: Path,
) -> None:
    async with following(tmp_path) as (journal, followers, responses):
        followers.publish_live(partial(1, "uh"))
        assert (await anext(responses)).live == partial(1, "uh")
        publish(followers, [dropped(1), partial(1, "grace")])
        final = types_pb2.Transcript(segment_id=1, is_final=True, stable_text="grace")
        await journal.write(append_transcript, "a", final, ["es"], 0, compared=False)
        followers.publish_live(partial(2, "and"))
        assert (await anext(responses)).event.transcript == final
        assert (await anext(responses)).live == partial(2, "and")
