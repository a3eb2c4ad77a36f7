"""The review page and its operations over HTTP, and who may reach them.

The page itself is open; everything else wants the token when there is one. Without a token only
this machine reaches the port, and another site's page must not either, neither by its own requests
(Origin) nor by a name that it lets point here (Host; DNS rebinding).
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import structlog
from aiohttp import web

from services.access import no_token_set, role_too_small
from services.collector.review import Reviews
from services.collector.settings import CollectorSettings
from services.collector.web_api import ReviewApi
from services.tls_listening import https_context
from services.token_file import Role
from services.tokens import TokenBook
from services.web import add_pages, application, bearer_token, guard
from services.web_listening import listening

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
        self._book = TokenBook(settings.tokens_file, settings.plain_tokens, settings.open_roles)
        # Beyond this machine the settings want a token.
        self._is_open = Role.REVIEW in self._book.open_to_all(is_trusted=True)

    def application(self) -> web.Application:
        """Every route, each behind the check of who asks."""
        app = application(body_limit_bytes=_BODY_LIMIT_BYTES, further_policy="media-src blob:")
        app.router.add_routes(ReviewApi(self._reviews).routes())
        guard(
            app,
            add_pages(app, _PAGES, {"/": "review.html"}),
            self._check_token,
            allowed_origins=self._settings.allowed_origins,
            setting="GLOSSA_COLLECTOR_ALLOWED_ORIGINS",
        )
        return app

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listens while entered.

        Raises:
            Unavailable: PORT_TAKEN.
            InvalidInput: CERTIFICATE_MISSING, BAD_CERTIFICATE.
        """
        settings = self._settings
        tls = (
            https_context(settings.certificates_dir, "collector")
            if settings.certificates_dir is not None and settings.is_web_encrypted
            else None
        )
        async with listening(self.application(), self._host, settings.web_port, tls):
            scheme = "http" if tls is None else "https"
            log.info("review_page", url=f"{scheme}://{self._host}:{settings.web_port}/")
            yield

    def _check_token(self, request: web.Request, _path: str) -> None:
        """Raises Unauthenticated, Forbidden, Overloaded."""
        if self._is_open:
            return
        if not self._book.grants(Role.REVIEW):
            raise no_token_set(Role.REVIEW)
        holder = self._book.check(
            bearer_token(request), request.remote or "", request.rel_url.raw_path
        )
        if Role.REVIEW not in holder.roles:
            raise role_too_small(holder, Role.REVIEW)
