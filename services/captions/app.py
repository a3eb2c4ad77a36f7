"""The captions service put together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import grpc

from glossa.captions.v1 import captions_pb2_grpc
from services.captions.open_files import allow_viewers
from services.captions.relay import Relay
from services.captions.server import SERVICE_NAME, CaptionServicer
from services.captions.settings import CaptionsSettings
from services.captions.web.site import WebSite


class CaptionsApp:
    """Serving as soon as it listens; a display that comes before the first catch-up waits for it.

    The upstream may be away at the start: it is tried until it comes, and displays meet NOT_READY
    meanwhile.
    """

    name = "captions"
    service_names: tuple[str, ...] = (SERVICE_NAME,)

    def __init__(self, settings: CaptionsSettings) -> None:
        self._settings = settings
        self._relay = Relay(settings)
        self._site = WebSite(self._relay, settings)

    def register(self, server: grpc.aio.Server) -> None:
        captions_pb2_grpc.add_CaptionServiceServicer_to_server(CaptionServicer(self._relay), server)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        allow_viewers(self._settings.viewer_limit)
        async with asyncio.TaskGroup() as tasks:
            follower = tasks.create_task(self._relay.run())
            try:
                async with self._site.serving():
                    yield
            finally:
                follower.cancel()

    async def drain(self) -> None:
        self._relay.drain()
        await self._site.drain()
