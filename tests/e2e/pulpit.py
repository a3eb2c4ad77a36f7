"""Somebody who speaks when told to, into one session that stays open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from cli.client import Chunk, SpeakerClient
from services.errors import GlossaError
from tests.speech import Pcm, chunks, spoken, with_pauses

HEARD_WITHIN_S = 30.0


class Pulpit:
    """Begins at once; the session has an id after the first say()."""

    def __init__(self, speaker: SpeakerClient) -> None:
        self._speaker = speaker
        self._speeches: asyncio.Queue[Pcm | None] = asyncio.Queue(maxsize=16)
        self._sample_count = 0
        self._speaking = asyncio.create_task(speaker.stream(self._source()))

    @property
    def session_id(self) -> str:
        return self._speaker.session_id

    async def say(self, *sentences: str) -> None:
        """Returns when the gateway has the whole of it."""
        speech = with_pauses(*(spoken(sentence) for sentence in sentences))
        await self._speeches.put(speech)
        self._sample_count += len(speech)
        async with asyncio.timeout(HEARD_WITHIN_S):
            while self._speaker.received_sample < self._sample_count:
                assert not self._speaking.done(), "the session is over"
                await asyncio.sleep(0.02)

    async def leave(self) -> None:
        """Ends the session, unless somebody else did."""
        await self._speeches.put(None)
        with contextlib.suppress(GlossaError):
            await self._speaking

    async def _source(self) -> AsyncIterator[Chunk]:
        begin = 0
        while (speech := await self._speeches.get()) is not None:
            for first_sample, data in chunks(speech):
                yield Chunk(begin + first_sample, data)
            begin += len(speech)
