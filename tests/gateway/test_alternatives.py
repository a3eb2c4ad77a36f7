"""A second mt whose translations are journalled beside the first's, and delay nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from glossa.gateway.v1 import gateway_pb2
from glossa.types.v1 import types_pb2
from services.gateway.heard import append_transcript
from services.gateway.journal import Journal
from services.gateway.session_rows import start_session
from services.gateway.translated import drop_alternatives
from tests.gateway.conftest import Stack
from tests.gateway.peers import REFUSED_SENTENCE, sentence, sermon
from tests.gateway.test_sessions import StartStack, of_kind, said

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def alternatives(stack: Stack, session_id: str, count: int) -> list[types_pb2.Translation]:
    """The second mt's translations of a session, once there are `count` of them."""
    following = stack.journal.Follow(gateway_pb2.FollowRequest(session_id=session_id), timeout=60)
    found = []
    async for response in following:
        if response.event.HasField("alternative_translation"):
            found.append(response.event.alternative_translation)
            if len(found) == count:
                following.cancel()
                return found
    raise AssertionError("the stream ended")


async def test_each_final_is_translated_by_both_and_only_the_first_is_scored(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(compared=True)
    session_id = await stack.speak(sermon([1, REFUSED_SENTENCE, 2]), target_languages=["es", "fr"])
    compared = await alternatives(stack, session_id, 4)
    assert sorted((t.segment_id, t.language, t.text, t.model) for t in compared) == sorted(
        (segment_id, language, f"[{language}] {sentence(number)}", "rule/other")
        for segment_id, number in ((1, 1), (3, 2))
        for language in ("es", "fr")
    )
    assert {(t.token_count, t.first_token_ms, t.generation_ms) for t in compared} == {(4, 2, 3)}
    events = await stack.scored_events(session_id, 4)
    assert {p.translation.model for p in of_kind(events, "pair_scored")} == {"rule/bracket"}


async def test_a_second_mt_that_is_away_delays_nothing_and_is_caught_up_with(
    own_stack: StartStack,
) -> None:
    stack = await own_stack(compared=True)
    stack.peers["mt_alternative"].kill()
    session_id = await stack.speak(sermon([1, 2, 3]))
    events = await stack.scored_events(session_id, 3)
    assert said(events) == [sentence(n) for n in (1, 2, 3)]
    (ended,) = of_kind(events, "session_ended")
    assert (ended.final_count, ended.untranslated_count) == (3, 0)
    stack.peers["mt_alternative"].start()
    compared = await alternatives(stack, session_id, 3)
    assert {t.segment_id for t in compared} == {1, 2, 3}


async def test_nothing_is_compared_without_a_second_mt(stack: Stack) -> None:
    session_id = await stack.speak(sermon([1]))
    events = await stack.scored_events(session_id, 1)
    assert of_kind(events, "alternative_translation") == []


@pytest_asyncio.fixture(loop_scope="module")
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    journal = Journal(tmp_path / "journal.db", lambda events: None)
    await journal.write(start_session, "sunday", gateway_pb2.SessionConfig(source_language="en"))
    yield journal
    await asyncio.to_thread(journal.close)


async def append_finals(journal: Journal, count: int) -> None:
    for segment_id in range(1, count + 1):
        transcript = types_pb2.Transcript(segment_id=segment_id, is_final=True)
        await journal.write(append_transcript, "sunday", transcript, ["es"], 0, compared=True)


async def test_a_second_mt_that_never_comes_is_owed_a_bounded_amount(journal: Journal) -> None:
    await append_finals(journal, 300)
    owed = await journal.read_owed("alternative", 1_000)
    assert [each.segment_id for each in owed] == list(range(45, 301))
    assert len(await journal.read_owed("translate", 1_000)) == 300


async def test_what_was_owed_a_second_mt_is_forgotten_with_it(journal: Journal) -> None:
    await append_finals(journal, 3)
    await journal.write(drop_alternatives)
    assert await journal.read_owed("alternative", 10) == []
    assert len(await journal.read_owed("translate", 10)) == 3
