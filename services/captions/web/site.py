"""The port for people: pages, and what they ask for."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

import structlog
from aiohttp import web

from services.captions.relay import Relay
from services.captions.settings import CaptionsSettings
from services.captions.web.access import Access
from services.captions.web.hls import HlsApi
from services.captions.web.join import JoinApi
from services.captions.web.live import LiveApi
from services.captions.web.live_vtt import LiveVttApi
from services.captions.web.microphone import MicrophoneApi
from services.captions.web.operator import OperatorApi
from services.captions.web.operator_gateway import OperatorGateway
from services.captions.web.sse import SseApi
from services.captions.web.transcripts import TranscriptApi
from services.certificates import server_context
from services.tls_listening import https_context
from services.web import add_pages, application
from services.web_listening import listening

log = structlog.get_logger()

_FILES = Path(__file__).parents[1] / "pages"
_PAGES = {
    "/": "phone/index.html",
    "/audience": "audience/index.html",
    "/overlay": "overlay/index.html",
    "/operator": "operator/index.html",
    "/compare": "compare/index.html",
}
_BODY_LIMIT_BYTES = 32 * 1024  # a text of 2000 characters, each escaped in JSON
# After an outage a whole congregation comes back within the same second.
_BACKLOG = 4096


class Api(Protocol):
    """Some routes that belong together."""

    def routes(self) -> Sequence[web.RouteDef]:
        """What it answers."""


class WebSite:
    """Serves the pages and every API on one port."""

    def __init__(self, relay: Relay, settings: CaptionsSettings) -> None:
        self._access = Access(settings)
        self._gateway = OperatorGateway(settings.operated_gateway)
        self._operator = OperatorApi(self._gateway, settings)
        self._microphone = MicrophoneApi(self._gateway, settings)
        self._apis: list[Api] = [
            self._access,
            JoinApi(settings),
            LiveApi(relay),
            SseApi(relay),
            TranscriptApi(relay, settings),
            LiveVttApi(relay),
            HlsApi(relay),
            self._operator,
            self._microphone,
        ]
        self._settings = settings
        self._host = settings.web_host or settings.host
        self._port = settings.web_port

    def application(self) -> web.Application:
        """Every route, each behind the check of who asks."""
        app = application(body_limit_bytes=_BODY_LIMIT_BYTES)
        for api in self._apis:
            app.router.add_routes(api.routes())
        self._access.guard(app, add_pages(app, _FILES, _PAGES))
        return app

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens while entered.

        Raises:
            Unavailable: PORT_TAKEN.
            InvalidInput: CERTIFICATE_MISSING, BAD_CERTIFICATE.
        """
        tls = _tls(self._settings)
        try:
            async with listening(
                self.application(),
                self._host,
                self._port,
                tls,
                _BACKLOG,
                self._settings.web_connections_per_host,
            ):
                scheme = "http" if tls is None else "https"
                log.info("page", url=f"{scheme}://{self._host}:{self._port}/")
                yield
        finally:
            await self._gateway.close()

    async def drain(self) -> None:
        """Ends what operators and speakers have open; displays are the relay's to end."""
        await asyncio.gather(self._operator.drain(), self._microphone.drain())


def _tls(settings: CaptionsSettings) -> ssl.SSLContext | None:
    if settings.web_certificate_file is not None and settings.web_key_file is not None:
        return server_context(settings.web_certificate_file, settings.web_key_file)
    if settings.certificates_dir is not None and settings.is_web_encrypted:
        return https_context(settings.certificates_dir, "captions")
    return None
