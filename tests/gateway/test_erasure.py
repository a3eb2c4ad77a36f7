"""Words that were shown and taken back are journalled with each final."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict

import grpc
import pytest

from glossa.gateway.v1 import gateway_pb2
from services.gateway.shown import ShownTexts, erased_word_count
from tests.gateway.conftest import Stack, Talk
from tests.gateway.peers import (
    SPEECH_SAMPLES,
    SUPPRESSED_SENTENCE,
    UNSETTLED_SENTENCE,
    WAVERING_SENTENCE,
    sermon,
)
from tests.gateway.test_sessions import of_kind

pytestmark = pytest.mark.asyncio(loop_scope="module")

_CHUNK = 1_600
_DRAFT_DEADLINE_S = 5.0  # longer than mt has for one (GLOSSA_GATEWAY_DRAFT_TIMEOUT_S)


class Reader:
    """Someone who counts every word that is taken from before their eyes."""

    def __init__(self) -> None:
        self.shown: dict[tuple[int, str], list[str]] = defaultdict(list)
        self.erased: dict[tuple[int, str], int] = defaultdict(int)
        self.partial_revision = 0
        self.draft_revision = 0
        self._seen = asyncio.Event()

    async def follow(self, following: grpc.aio.UnaryStreamCall) -> None:
        """Sees all there is, as it comes, until the session is over."""
        async for response in following:
            self.take(response)
            self._seen.set()
            if response.event.HasField("session_ended"):
                return

    async def until_drafted(self, after_revision: int) -> None:
        """Waits for a partial after a revision and for its draft: no update replaces another.

        Not for ever: a draft that took mt too long on a busy machine is never shown.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAFT_DEADLINE_S):
                while self.partial_revision <= after_revision or (
                    self.draft_revision < self.partial_revision
                ):
                    self._seen.clear()
                    await self._seen.wait()

    def see(self, segment_id: int, language: str, text: str) -> None:
        key, words = (segment_id, language), text.split()
        before = self.shown[key]
        while before and before != words[: len(before)]:
            before = before[:-1]
            self.erased[key] += 1
        self.shown[key] = words

    def take(self, response: gateway_pb2.FollowResponse) -> None:
        for part in (response.live, response.event):
            if part.HasField("transcript"):
                said = part.transcript
                self.see(said.segment_id, "", f"{said.stable_text} {said.unstable_text}")
                if not said.is_final:
                    self.partial_revision = said.revision
            elif part.HasField("translation"):
                translated = part.translation
                self.see(translated.segment_id, translated.language, translated.text)
                if not translated.is_final:
                    self.draft_revision = translated.revision
        if response.live.HasField("segment_dropped"):
            dropped = response.live.segment_dropped.segment_id
            for segment_id, language in list(self.shown):
                if segment_id == dropped:
                    self.see(segment_id, language, "")


async def test_a_reader_counts_the_words_that_the_finals_say_were_taken_back(
    stack: Stack,
) -> None:
    talk = await Talk.begun(stack)
    following = stack.journal.Follow(
        gateway_pb2.FollowRequest(session_id=talk.session_id, live=True), timeout=60
    )
    reader = Reader()
    reading = asyncio.create_task(reader.follow(following))
    numbers = [SUPPRESSED_SENTENCE, WAVERING_SENTENCE, UNSETTLED_SENTENCE, 1]
    for number in numbers:
        pcm = sermon([number])
        for start in range(0, SPEECH_SAMPLES, _CHUNK):
            revision = reader.partial_revision
            if start == 0:  # the next segment counts its revisions from the start
                revision = reader.partial_revision = reader.draft_revision = 0
            await talk.say(pcm[start : start + _CHUNK])
            await reader.until_drafted(revision)
        await talk.say(pcm[SPEECH_SAMPLES:])
    await talk.call.done_writing()
    await reading
    following.cancel()
    events = await stack.events(talk.session_id)
    told = {(t.segment_id, ""): t.erased_word_count for t in of_kind(events, "transcript")}
    for t in of_kind(events, "translation"):
        told[t.segment_id, t.language] = t.erased_word_count
    assert told == {key: reader.erased[key] for key in told}
    assert [told[n, ""] > 0 for n in (1, 2, 3)] == [True, False, False]  # 1 is the second said
    assert [told[n, "es"] > 0 for n in (1, 2, 3)] == [True, True, False]
    assert all(t.HasField("erased_word_count") for t in of_kind(events, "translation"))


async def test_everything_after_the_first_word_that_differs_is_taken_back() -> None:
    assert (
        erased_word_count(["the", "lord", "is", "my"], ["the", "lord", "is", "my", "shepherd"]) == 0
    )
    assert erased_word_count(["the", "lord", "is", "my"], ["the", "lord", "was", "my"]) == 2
    assert erased_word_count(["the", "lord"], []) == 2


async def test_what_was_shown_long_ago_makes_room() -> None:
    shown = ShownTexts()
    for segment_id in range(5_000):
        update = gateway_pb2.LiveUpdate(session_id="a")
        update.transcript.segment_id = segment_id
        update.transcript.stable_text = "one two"
        shown.take(update)
    assert shown.erased_by("a", 0, "", "three") == 0
    assert shown.erased_by("a", 4_999, "", "three") == 2
