"""Displays that the tests point at a captions service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import grpc

from glossa.captions.v1 import captions_pb2 as captions
from glossa.captions.v1 import captions_pb2_grpc
from services.channels import open_channel

DEADLINE_S = 15.0


class Display:
    """One subscription and everything that it has received."""

    def __init__(self, call: grpc.aio.UnaryStreamCall) -> None:
        self._call = call
        self.events: list[captions.SubscribeResponse] = []

    async def until(
        self, enough: Callable[[captions.SubscribeResponse], bool]
    ) -> list[captions.SubscribeResponse]:
        """Reads until an event is `enough`; returns all received. gRPC errors come through."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                event = await self._call.read()
                if event is grpc.aio.EOF:
                    raise AssertionError("the stream ended without a reason")
                self.events.append(event)
                if enough(event):
                    return self.events

    async def until_caught_up(self) -> list[captions.SubscribeResponse]:
        return await self.until(lambda event: event.HasField("caught_up"))

    async def until_sequence(self, sequence: int) -> list[captions.SubscribeResponse]:
        return await self.until(lambda event: event.sequence == sequence)

    async def failure(self) -> grpc.aio.AioRpcError:
        """Reads until the service ends the stream with an error."""
        try:
            await self.until(lambda event: False)
        except grpc.aio.AioRpcError as error:
            return error
        raise AssertionError("unreachable")

    @property
    def sequences(self) -> list[int]:
        return [event.sequence for event in self.events if event.sequence]

    @property
    def texts(self) -> list[str]:
        return [
            event.caption.stable_text + event.caption.unstable_text
            for event in self.events
            if event.HasField("caption")
        ]


@asynccontextmanager
async def subscribed(
    address: str, metadata: Sequence[tuple[str, str]] | None = None, **request: object
) -> AsyncIterator[Display]:
    async with open_channel(address) as channel:
        stub = captions_pb2_grpc.CaptionServiceStub(channel)
        call = stub.Subscribe(captions.SubscribeRequest(**request), metadata=metadata)
        try:
            yield Display(call)
        finally:
            call.cancel()


async def sessions(address: str) -> list[captions.Session]:
    async with open_channel(address) as channel:
        stub = captions_pb2_grpc.CaptionServiceStub(channel)
        answer = await stub.ListSessions(captions.ListSessionsRequest(), timeout=DEADLINE_S)
        return list(answer.sessions)
