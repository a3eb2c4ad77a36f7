"""The review page and its operations over HTTP, and who may reach them.

The page itself is open; the operations want the token when there is one. Without a token only this
machine reaches the port, and another site's page must not either, neither by its own requests
(Origin) nor by a name that it lets point here (Host; DNS rebinding).
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from services.collector.review import Reviews
from services.collector.settings import CollectorSettings
from services.collector.web_api import ReviewApi
from services.web import (
    Handler,
    add_pages,
    application,
    is_origin_allowed,
    listening,
    refusal,
)

log = structlog.get_logger()

_PAGES = Path(__file__).parent / "pages"
# Two texts of 10,000 characters, each escaped in JSON, fit.
_BODY_LIMIT_BYTES = 256 * 1024


class ReviewSite:
    """Serves pages/ and /api/review/."""

    def __init__(self, reviews: Reviews, settings: CollectorSettings) -> None:
        self._reviews = reviews
        self._settings = settings
        self._host = settings.web_host or settings.host
        self._token = settings.review_token.get_secret_value().encode()
        origins = settings.allowed_origins
        self._names = {"localhost", *(urlsplit(origin).hostname for origin in origins)} - {None}

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens while entered. Raises Unavailable: PORT_TAKEN."""
        app = application(body_limit_bytes=_BODY_LIMIT_BYTES, further_policy="media-src blob:")
        app.middlewares.append(self._guard)
        app.router.add_routes(ReviewApi(self._reviews).routes())
        add_pages(app, _PAGES, {"/": "review.html"})
        async with listening(app, self._host, self._settings.web_port):
            log.info("review_page", url=f"http://{self._host}:{self._settings.web_port}/")
            yield

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self._is_host_expected(request):
            log.warning("host_refused", host=request.host[:200])
            return refusal(
                403,
                "HOST_REFUSED",
                "this name is not known here; GLOSSA_COLLECTOR_ALLOWED_ORIGINS names those under "
                "which the page may be opened",
            )
        if not request.path.startswith("/api/"):
            return await handler(request)
        if not is_origin_allowed(request, self._settings.allowed_origins):
            log.warning("origin_refused", origin=request.headers.get("Origin", "")[:200])
            return refusal(403, "ORIGIN_REFUSED", "another site's page may not review")
        if not self._has_token(request):
            answer = refusal(
                401,
                "TOKEN_REFUSED",
                "the token that GLOSSA_COLLECTOR_REVIEW_TOKEN sets is wanted; ask who runs Glossa",
            )
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        # A form or a plain text could be sent by any site's page without asking first.
        if request.method == "POST" and request.content_type != "application/json":
            return refusal(415, "JSON_WANTED", "send JSON, as application/json")
        return await handler(request)

    def _is_host_expected(self, request: web.Request) -> bool:
        """An IP address is no name that somebody else could let point here."""
        try:
            name = urlsplit(f"//{request.host}").hostname
            if name in self._names:
                return True
            ipaddress.ip_address(name or "")
        except ValueError:
            return False
        return True

    def _has_token(self, request: web.Request) -> bool:
        if not self._token:
            return True
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        is_same = hmac.compare_digest(given.encode(errors="surrogateescape"), self._token)
        return scheme.lower() == "bearer" and is_same
