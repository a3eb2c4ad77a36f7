"""Displays that come and go: each connects, is brought up to date, and leaves."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

import aiohttp
import grpc

from glossa.captions.v1 import captions_pb2, captions_pb2_grpc
from services.channels import open_channel

_AT_ONCE = 8
_VISIT_TIMEOUT_S = 20.0


class Turnover:
    """So many visits, over gRPC and over a WebSocket in turn; `made` and `failed` count them."""

    def __init__(self, captions_address: str, page_url: str, visits: int) -> None:
        self.made = 0
        self.failed = 0
        self._address = captions_address
        self._page_url = page_url
        self._visits = visits
        self._begun = 0
        self._newest_sequence = 0

    async def run(self) -> None:
        """Makes them all, a few at a time."""
        async with (
            aiohttp.ClientSession() as http,
            open_channel(self._address) as channel,
            asyncio.TaskGroup() as tasks,
        ):
            stub = captions_pb2_grpc.CaptionServiceStub(channel)
            for _ in range(_AT_ONCE):
                tasks.create_task(self._visit_on(http, stub))

    async def _visit_on(
        self, http: aiohttp.ClientSession, stub: captions_pb2_grpc.CaptionServiceStub
    ) -> None:
        while self._begun < self._visits:
            self._begun += 1
            visit = self._by_grpc(stub) if self._begun % 2 else self._by_web_socket(http)
            try:
                async with asyncio.timeout(_VISIT_TIMEOUT_S):
                    await visit
                self.made += 1
            except (TimeoutError, OSError, grpc.aio.AioRpcError, aiohttp.ClientError):
                self.failed += 1

    async def _by_grpc(self, stub: captions_pb2_grpc.CaptionServiceStub) -> None:
        call = stub.Subscribe(
            captions_pb2.SubscribeRequest(after_sequence=self._newest_sequence, languages=["es"])
        )
        try:
            async for event in call:
                self._newest_sequence = max(self._newest_sequence, event.sequence)
                if event.WhichOneof("event") == "caught_up":
                    return
        finally:
            call.cancel()

    async def _by_web_socket(self, http: aiohttp.ClientSession) -> None:
        query = urlencode({"after": self._newest_sequence, "language": "es"})
        async with http.ws_connect(f"{self._page_url}ws?{query}") as socket:
            async for message in socket:
                if '"caught_up"' in str(message.data):
                    return
