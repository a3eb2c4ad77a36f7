"""Where phones find the captions: as a link, and as a QR code of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from urllib.parse import quote

import segno
from aiohttp import web

from services.captions.settings import CaptionsSettings
from services.captions.web.lan_address import reached_host
from services.web import json_answer

# Modules of light around the code (ISO/IEC 18004, 9.1).
_QUIET_ZONE_MODULES = 4


class JoinApi:
    """/join and /join.svg."""

    def __init__(self, settings: CaptionsSettings) -> None:
        self._settings = settings

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/join", self._join), web.get("/join.svg", self._picture)]

    async def _join(self, request: web.Request) -> web.Response:
        return json_answer({"url": join_url(self._settings, request.host)})

    async def _picture(self, request: web.Request) -> web.Response:
        picture = qr_svg(self._link(request.host))
        return web.Response(
            body=picture,
            content_type="image/svg+xml",
            charset="utf-8",
            headers={"Cache-Control": "no-store"},
        )

    def _link(self, host: str) -> str:
        """The address with the token that phones need; in the fragment, where no log sees it."""
        url = join_url(self._settings, host)
        token = self._settings.view_token.get_secret_value()
        return f"{url}#token={quote(token, safe='')}" if token else url


def join_url(settings: CaptionsSettings, asked_host: str) -> str:
    """The page for phones: the URL that was set, this machine's in its network, or the one asked.

    Args:
        asked_host: host, or host:port, that the caller used.
    """
    if settings.public_url:
        return settings.public_url
    scheme = "https" if settings.is_web_encrypted else "http"
    return f"{scheme}://{_reached_host(settings) or asked_host}/"


def qr_svg(text: str) -> bytes:
    """The text as a QR code that survives 15 % of damage; policies that forbid styles show it."""
    code = segno.make(text, error="m", micro=False, boost_error=False)
    picture = io.BytesIO()
    code.save(
        picture,
        kind="svg",
        border=_QUIET_ZONE_MODULES,
        dark="#000",
        light="#fff",
        omitsize=True,
        xmldecl=False,
        nl=False,
    )
    return picture.getvalue()


def _reached_host(settings: CaptionsSettings) -> str:
    """host:port under which phones reach this machine; empty when it does not know."""
    if settings.is_web_local:
        return ""
    # A container knows neither its machine's addresses nor its published port.
    if settings.web_published_host:
        return ""
    return reached_host(settings.web_host or settings.host, settings.web_port)
