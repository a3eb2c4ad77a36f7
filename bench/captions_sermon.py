"""A journal for `./glossa bench captions`: a sermon's updates, each with the time it was made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from glossa.gateway.v1 import gateway_pb2 as gateway
from glossa.gateway.v1 import gateway_pb2_grpc
from glossa.types.v1 import types_pb2 as types
from services.serving import SERVER_OPTIONS

SESSION = "sermon"
# Four seconds of speech at six updates/s: 22 partials, a final, its translation.
SEGMENT_UPDATES = 24
_TEXT_CHARACTERS = 300
_SEGMENT_MS = 4000
_FINAL_REVISION = 99
_WORDS = (Path(__file__).parents[1] / "cli" / "sample" / "sermon.txt").read_text("utf-8").split()
_WAITING_UPDATES = 10_000


class Sermon(gateway_pb2_grpc.JournalServiceServicer):
    """A real gRPC peer whose only follower is the server that is measured."""

    def __init__(self) -> None:
        self._events: list[gateway.JournalEvent] = []
        self._updates: asyncio.Queue[gateway.FollowResponse] = asyncio.Queue(_WAITING_UPDATES)
        self._followed = asyncio.Event()
        self._segment_id = 0
        self._server = grpc.aio.server(options=SERVER_OPTIONS)
        config = gateway.SessionConfig(
            title="A sermon", source_language="en", target_languages=["es"]
        )
        self._append(session_started=gateway.SessionStarted(config=config))

    async def serve(self, address: str) -> None:
        gateway_pb2_grpc.add_JournalServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(self) -> None:
        await self._server.stop(0)

    async def followed(self) -> None:
        """Waits until somebody has everything that there is."""
        await self._followed.wait()

    @property
    def sequence(self) -> int:
        """Of the newest event."""
        return len(self._events)

    def is_final(self, number: int) -> bool:
        """Whether this update of the sermon is a final."""
        return number % SEGMENT_UPDATES >= SEGMENT_UPDATES - 2

    def update(self, number: int) -> None:
        """Speaks on by one update, partials of both languages in turn, then the finals."""
        step = number % SEGMENT_UPDATES
        if step == 0:
            self._segment_id += 1
        if self.is_final(number):
            text = _text(number, _TEXT_CHARACTERS)
            if step == SEGMENT_UPDATES - 2:
                self._append(transcript=self._transcript(_FINAL_REVISION, text, "", is_final=True))
            else:
                translation = self._translation(_FINAL_REVISION, text, is_final=True)
                self._append(translation=translation)
            return
        text = _text(number, _TEXT_CHARACTERS * (step + 1) // SEGMENT_UPDATES)
        if step % 2:
            self._live(translation=self._translation(step + 1, text))
        else:
            settled = max(len(text) // 2, text.index(" "))  # the stamp stays whole
            stable, unstable = text[:settled], text[settled:]
            self._live(transcript=self._transcript(step + 1, stable, unstable))

    def fill(self, count: int, characters: int) -> None:
        """Appends finals that nobody measures."""
        for _ in range(count):
            self._segment_id += 1
            text = " ".join(_WORDS * (characters // 100))[:characters]
            self._append(transcript=self._transcript(_FINAL_REVISION, text, "", is_final=True))

    async def Follow(
        self, request: gateway.FollowRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[gateway.FollowResponse]:
        cursor = self.sequence
        for event in self._events[request.after_sequence : cursor]:
            yield _response(event=event)
        yield _response(caught_up=gateway.CaughtUp(sequence=cursor))
        self._followed.set()
        while True:
            update = await self._updates.get()
            if not update.HasField("event") or update.event.sequence > cursor:
                yield update

    def _append(self, **event: Any) -> None:
        message = gateway.JournalEvent(sequence=self.sequence + 1, session_id=SESSION, **event)
        message.time.GetCurrentTime()
        self._events.append(message)
        self._updates.put_nowait(_response(event=message))

    def _live(self, **update: Any) -> None:
        live = gateway.LiveUpdate(session_id=SESSION, **update)
        self._updates.put_nowait(_response(live=live))

    def _transcript(
        self, revision: int, stable: str, unstable: str, *, is_final: bool = False
    ) -> types.Transcript:
        start_ms = self._segment_id * _SEGMENT_MS
        return types.Transcript(
            segment_id=self._segment_id,
            revision=revision,
            is_final=is_final,
            stable_text=stable,
            unstable_text=unstable,
            start_offset_ms=start_ms,
            end_offset_ms=start_ms + _SEGMENT_MS,
            language="en",
            model="bench/en",
        )

    def _translation(
        self, revision: int, text: str, *, is_final: bool = False
    ) -> types.Translation:
        return types.Translation(
            segment_id=self._segment_id,
            revision=revision,
            is_final=is_final,
            text=text,
            language="es",
            model="bench/es",
        )


def _text(number: int, characters: int) -> str:
    """A text that says which update it is and when it was made, on the machine's own clock."""
    stamp = f"[[{number}:{time.monotonic_ns()}]] "
    return stamp + " ".join(_WORDS)[: max(20, characters - len(stamp))]


def _response(**payload: Any) -> gateway.FollowResponse:
    return gateway.FollowResponse(journal_id="bench", **payload)
