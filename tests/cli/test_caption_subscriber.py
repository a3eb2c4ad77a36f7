"""A display's place in the captions, when what it counts in is replaced while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc

from cli.client import CaptionSubscriber
from glossa.captions.v1 import captions_pb2, captions_pb2_grpc
from services.errors import Unavailable, abort
from tests.processes import free_port_base


class ReplacedJournal(captions_pb2_grpc.CaptionServiceServicer):
    """Breaks off after one event of an old journal; after that there is only a new, longer one."""

    def __init__(self) -> None:
        self.asked_after: list[int] = []

    async def Subscribe(
        self, request: captions_pb2.SubscribeRequest, context: grpc.aio.ServicerContext
    ) -> AsyncIterator[captions_pb2.SubscribeResponse]:
        self.asked_after.append(request.after_sequence)
        if len(self.asked_after) == 1:
            yield _caption(5, "old", "from the old journal")
            await abort(context, Unavailable("SHUTTING_DOWN", "back in a moment"))
        for sequence in range(request.after_sequence + 1, 10):
            yield _caption(sequence, "new", f"line {sequence}")
        await asyncio.Event().wait()


async def test_a_journal_replaced_while_away_is_read_from_its_start() -> None:
    servicer = ReplacedJournal()
    server = grpc.aio.server()
    captions_pb2_grpc.add_CaptionServiceServicer_to_server(servicer, server)
    port = free_port_base()
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    shown = []
    try:
        async with asyncio.timeout(20):
            async for event in CaptionSubscriber(f"127.0.0.1:{port}").events():
                shown.append(event.caption.stable_text)
                if event.sequence == 9:
                    break
    finally:
        await server.stop(None)
    assert shown == ["from the old journal", *(f"line {sequence}" for sequence in range(1, 10))]
    assert servicer.asked_after == [0, 5, 0]


def _caption(sequence: int, journal_id: str, text: str) -> captions_pb2.SubscribeResponse:
    return captions_pb2.SubscribeResponse(
        sequence=sequence,
        journal_id=journal_id,
        session_id="s",
        caption=captions_pb2.Caption(
            segment_id=sequence, language="es", is_final=True, stable_text=text
        ),
    )
