"""The port for people: pages, and what they ask for."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog
from aiohttp import web

from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.web.live import LiveApi
from services.captions.web.transcripts import TranscriptApi
from services.web import add_pages, application, listening

log = structlog.get_logger()

_FILES = Path(__file__).parents[1] / "pages"
_PAGES = {
    "/": "phone/index.html",
}
_BODY_LIMIT_BYTES = 16 * 1024


class Api(Protocol):
    """Some routes that belong together."""

    def routes(self) -> Sequence[web.RouteDef]:
        """What it answers."""


class WebSite:
    """Serves the pages and every API on one port."""

    def __init__(self, relay: Relay, settings: CaptionsSettings) -> None:
        self._apis: list[Api] = [LiveApi(relay, settings), TranscriptApi(relay)]
        self._host = settings.web_host or settings.host
        self._port = settings.web_port

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens while entered. Raises Unavailable: PORT_TAKEN."""
        app = application(body_limit_bytes=_BODY_LIMIT_BYTES)
        for api in self._apis:
            app.router.add_routes(api.routes())
        add_pages(app, _FILES, _PAGES)
        async with listening(app, self._host, self._port):
            log.info("page", url=f"http://{self._host}:{self._port}/")
            yield
