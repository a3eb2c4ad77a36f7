"""What a service needs to serve a page: strict headers, errors as JSON, files, and a port.

Shared by captions and the collector; needs aiohttp, which only these two install.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from services.errors import (
    DeadlinePassed,
    GlossaError,
    InvalidInput,
    NotFound,
    OutOfRange,
    Overloaded,
    Superseded,
    Unavailable,
    WrongState,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_CONTENT_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
_HTTP_STATUS: dict[type[GlossaError], int] = {
    InvalidInput: 400,
    NotFound: 404,
    WrongState: 409,
    Superseded: 409,
    OutOfRange: 416,
    Overloaded: 429,
    Unavailable: 503,
    DeadlinePassed: 504,
}

_REASONS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "BODY_TOO_LARGE"}


def application(*, body_limit_bytes: int, further_policy: str = "") -> web.Application:
    """An application of which every answer has the headers, and every error is JSON.

    Args:
        further_policy: what a page needs beside its own scripts, styles, pictures and requests, as
            Content-Security-Policy directives: "media-src blob:".
    """
    policy = f"{_POLICY}; {further_policy}" if further_policy else _POLICY
    headers = {"Content-Security-Policy": policy, **_HEADERS}

    @web.middleware
    async def errors_and_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except GlossaError as error:
            response = json_answer(error_body(error), _http_status(error))
        except web.HTTPException as error:
            reason = _REASONS.get(error.status, "INVALID_REQUEST")
            response = refusal(error.status, reason, error.reason)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        if not response.prepared:
            for name, value in headers.items():
                response.headers.setdefault(name, value)
        return response

    return web.Application(middlewares=[errors_and_headers], client_max_size=body_limit_bytes)


def add_pages(app: web.Application, folder: Path, pages: Mapping[str, str]) -> None:
    """Serves the files of `folder` as they are now, each by its path in it.

    Args:
        pages: further paths, each with the file that it shows: {"/": "phone/index.html"}.
    """
    for path in sorted(folder.rglob("*")):
        if path.suffix in _CONTENT_TYPES:
            app.router.add_get(f"/{path.relative_to(folder).as_posix()}", _page(path))
    for url_path, name in pages.items():
        app.router.add_get(url_path, _page(folder / name))


@contextlib.asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[None]:
    """Listens while entered. Raises Unavailable: PORT_TAKEN."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise Unavailable(
                "PORT_TAKEN",
                f"port {port} on {host} is taken; stop what uses it or choose another",
                port=port,
            ) from error
        yield
    finally:
        await runner.cleanup()


def is_origin_allowed(request: web.Request, allowed_origins: Collection[str]) -> bool:
    """Browsers name the page that asks; a program that is no browser names none."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc == request.host or origin.rstrip("/") in allowed_origins


def _http_status(error: GlossaError) -> int:
    return next((_HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in _HTTP_STATUS), 400)


def error_body(error: GlossaError) -> dict[str, Any]:
    return {"error": {"reason": error.reason, "message": error.message, "metadata": error.metadata}}


def refusal(status: int, reason: str, message: str) -> web.Response:
    """An answer for what HTTP has a status of its own for: 401, 403, 415."""
    return json_answer(error_body(InvalidInput(reason, message)), status)


def json_answer(value: object, status: int = 200) -> web.Response:
    response = web.json_response(value, status=status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _page(path: Path) -> Handler:
    content = path.read_bytes()
    content_type = _CONTENT_TYPES[path.suffix]
    charset = None if path.suffix == ".png" else "utf-8"

    async def send(request: web.Request) -> web.Response:
        return web.Response(body=content, content_type=content_type, charset=charset)

    return send
