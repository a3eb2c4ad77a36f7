"""The review page and its operations over HTTP, and who may reach them.

The page itself is open; the operations want the token when there is one. Without a token only this
machine reaches the port, and another site's page must not either, neither by its own requests
(Origin) nor by a name that it lets point here (Host; DNS rebinding).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from aiohttp import web

from services.collector.review import Reviews
from services.collector.settings import CollectorSettings
from services.collector.web_api import ReviewApi
from services.errors import Unauthenticated
from services.web import (
    Handler,
    add_pages,
    application,
    bearer_token,
    check_host,
    check_json,
    check_origin,
    expected_names,
    is_same_secret,
    listening,
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
        self._token = settings.review_token.get_secret_value()
        self._names = expected_names(settings.allowed_origins)

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
        check_host(request, self._names, "GLOSSA_COLLECTOR_ALLOWED_ORIGINS")
        if not request.path.startswith("/api/"):
            return await handler(request)
        check_origin(request, self._settings.allowed_origins)
        if self._token and not is_same_secret(bearer_token(request), self._token):
            raise Unauthenticated(
                "TOKEN_REFUSED",
                "the token that GLOSSA_COLLECTOR_REVIEW_TOKEN sets is wanted; ask who runs Glossa",
            )
        check_json(request)
        return await handler(request)
