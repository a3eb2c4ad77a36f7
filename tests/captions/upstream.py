"""A peer for captions: a real gRPC server whose JournalService.Follow plays a scripted journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import grpc

from glossa.gateway.v1 import gateway_pb2 as gateway
from glossa.gateway.v1 import gateway_pb2_grpc
from glossa.types.v1 import types_pb2 as types
from services.errors import NotFound, OutOfRange
from services.rpc_log import RpcLog
from services.serving import SERVER_OPTIONS

SPANISH_ENGINE = "apertium/eng-spa"
ENGLISH_ENGINE = "pocketsphinx/en-us"


class ScriptedJournal(gateway_pb2_grpc.JournalServiceServicer):
    """Keeps Follow's promises for a list of events that the test appends to."""

    def __init__(self, journal_id: str = "journal-1") -> None:
        self.journal_id = journal_id
        self.events: list[gateway.JournalEvent] = []
        self.requests: list[gateway.FollowRequest] = []
        self._live: list[asyncio.Queue[gateway.LiveUpdate]] = []
        self._changed = asyncio.Event()
        self._server: grpc.aio.Server | None = None

    async def serve(self, address: str) -> None:
        self._server = grpc.aio.server(interceptors=[RpcLog()], options=SERVER_OPTIONS)
        gateway_pb2_grpc.add_JournalServiceServicer_to_server(self, self._server)
        self._server.add_insecure_port(address)
        await self._server.start()

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def append(self, session_id: str, **event: object) -> int:
        """Journals one event, for example append("s", transcript=final(...)); its sequence."""
        sequence = len(self.events) + 1
        message = gateway.JournalEvent(sequence=sequence, session_id=session_id, **event)
        message.time.FromMilliseconds(1_795_000_000_000 + sequence * 1000)
        self.events.append(message)
        self._wake()
        return sequence

    def start_session(
        self, session_id: str = "sunday", title: str = "A sermon", targets: Sequence[str] = ("es",)
    ) -> int:
        config = gateway.SessionConfig(
            title=title, source_language="en", target_languages=list(targets)
        )
        return self.append(session_id, session_started=gateway.SessionStarted(config=config))

    def say(self, segment_id: int, english: str, spanish: str, session_id: str = "sunday") -> int:
        """A final, its translation and its score; the sequence of the translation."""
        transcript, translation = final(segment_id, english), translated(segment_id, spanish)
        self.append(session_id, transcript=transcript)
        sequence = self.append(session_id, translation=translation)
        scored = gateway.PairScored(transcript=transcript, translation=translation)
        self.append(session_id, pair_scored=scored)
        return sequence

    def correct(self, segment_id: int, language: str, text: str, session_id: str = "sunday") -> int:
        correction = gateway.Correction(
            segment_id=segment_id, language=language, revision=90, text=text, author="An editor"
        )
        return self.append(session_id, correction=correction)

    def end_session(self, session_id: str = "sunday") -> int:
        ended = gateway.SessionEnded(reason=gateway.END_REASON_FINISHED, final_count=1)
        return self.append(session_id, session_ended=ended)

    def live(self, session_id: str = "sunday", **update: object) -> None:
        """Sends a live update to every follower of now."""
        for queue in self._live:
            queue.put_nowait(gateway.LiveUpdate(session_id=session_id, **update))
        self._wake()

    async def wait_followed(self) -> None:
        async with asyncio.timeout(15):
            while True:
                if self._live:
                    return
                await asyncio.sleep(0.01)

    async def Follow(
        self, request: gateway.FollowRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[gateway.FollowResponse]:
        self.requests.append(request)
        if request.after_sequence > len(self.events):
            raise OutOfRange("SEQUENCE_AHEAD", "another journal; start again from 0")
        wanted = request.session_id
        if wanted and wanted not in {event.session_id for event in self.events}:
            raise NotFound("UNKNOWN_SESSION", "there is no such session")
        queue: asyncio.Queue[gateway.LiveUpdate] = asyncio.Queue()
        cursor, caught_up = request.after_sequence, False
        try:
            while True:
                changed = self._changed
                while cursor < len(self.events):
                    event = self.events[cursor]
                    cursor += 1
                    if wanted in ("", event.session_id):
                        yield gateway.FollowResponse(journal_id=self.journal_id, event=event)
                if not caught_up:
                    caught_up = True
                    self._live.append(queue)
                    yield gateway.FollowResponse(
                        journal_id=self.journal_id, caught_up=gateway.CaughtUp(sequence=cursor)
                    )
                    if request.until_now:
                        return
                while cursor == len(self.events) and not queue.empty():  # events go first
                    yield gateway.FollowResponse(
                        journal_id=self.journal_id, live=queue.get_nowait()
                    )
                if cursor == len(self.events):
                    await changed.wait()
        finally:
            if caught_up:
                self._live.remove(queue)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def final(segment_id: int, text: str, language: str = "en") -> types.Transcript:
    return types.Transcript(
        segment_id=segment_id,
        revision=9,
        is_final=True,
        stable_text=text,
        start_offset_ms=segment_id * 4000,
        end_offset_ms=segment_id * 4000 + 3000,
        endpoint_offset_ms=segment_id * 4000 + 3600,
        engine_ms=120.0,
        language=language,
        model=ENGLISH_ENGINE,
    )


def partial(segment_id: int, revision: int, stable: str, unstable: str) -> types.Transcript:
    return types.Transcript(
        segment_id=segment_id,
        revision=revision,
        stable_text=stable,
        unstable_text=unstable,
        start_offset_ms=segment_id * 4000,
        end_offset_ms=segment_id * 4000 + 1500,
        language="en",
        model=ENGLISH_ENGINE,
    )


def translated(segment_id: int, text: str, language: str = "es") -> types.Translation:
    return types.Translation(
        segment_id=segment_id,
        revision=9,
        is_final=True,
        text=text,
        language=language,
        model=SPANISH_ENGINE,
        engine_ms=30.0,
    )


def draft(segment_id: int, revision: int, text: str, language: str = "es") -> types.Translation:
    return types.Translation(
        segment_id=segment_id,
        revision=revision,
        text=text,
        language=language,
        model=SPANISH_ENGINE,
    )


def dropped(segment_id: int) -> gateway.SegmentDropped:
    return gateway.SegmentDropped(segment_id=segment_id)
