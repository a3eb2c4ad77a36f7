"""What a service needs to serve a page: strict headers, errors as JSON, files, checks.

Shared by captions and the collector; needs aiohttp, which only these two install.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from services.errors import (
    DeadlinePassed,
    Forbidden,
    GlossaError,
    InvalidInput,
    NotFound,
    OutOfRange,
    Overloaded,
    Superseded,
    Unauthenticated,
    Unavailable,
    WrongState,
)

log = structlog.get_logger()

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
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    WrongState: 409,
    Superseded: 409,
    OutOfRange: 416,
    Overloaded: 429,
    Unavailable: 503,
    DeadlinePassed: 504,
}

_BODY_TIMEOUT_S = 10.0
_REASONS = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "BODY_TOO_LARGE",
    415: "JSON_WANTED",
}


def application(*, body_limit_bytes: int, further_policy: str = "") -> web.Application:
    """An application of which every answer has the headers, and every error is JSON.

    Args:
        further_policy: what a page needs beside its own scripts, styles, pictures and requests, as
            Content-Security-Policy directives: "media-src blob:".
    """
    policy = f"{_POLICY}; {further_policy}" if further_policy else _POLICY
    headers = {"Content-Security-Policy": policy, **_HEADERS}

    @web.middleware
    async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            response = await handler(request)
        except GlossaError as error:
            response = json_answer(error_body(error), _http_status(error))
            if isinstance(error, Unauthenticated):
                response.headers["WWW-Authenticate"] = "Bearer"
            if isinstance(error, Overloaded):
                response.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
        except web.HTTPException as error:
            reason = _REASONS.get(error.status, "INVALID_REQUEST")
            body = error_body(InvalidInput(reason, error.reason))
            response = json_answer(body, error.status)
            if "Allow" in error.headers:
                response.headers["Allow"] = error.headers["Allow"]
        return response

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)

    app = web.Application(middlewares=[errors_as_json], client_max_size=body_limit_bytes)
    app.on_response_prepare.append(add_headers)  # of what is streamed, and of a crash, too
    return app


def add_pages(app: web.Application, folder: Path, pages: Mapping[str, str]) -> frozenset[str]:
    """Serves the files of `folder` as they are now, each by its path in it; all paths served.

    Args:
        pages: further paths, each with the file that it shows: {"/": "phone/index.html"}.
    """
    files = {
        f"/{path.relative_to(folder).as_posix()}": path
        for path in sorted(folder.rglob("*"))
        if path.suffix in _CONTENT_TYPES
    }
    files |= {url_path: folder / name for url_path, name in pages.items()}
    for url_path, path in files.items():
        app.router.add_get(url_path, _page(path))
    return frozenset(files)


def expected_names(urls: Iterable[str]) -> frozenset[str]:
    """The names under which a site may be asked for: this machine's own, and those of `urls`."""
    own = socket.gethostname().lower()
    named = (urlsplit(url).hostname for url in urls)
    return frozenset({"localhost", own, f"{own.split('.')[0]}.local", *filter(None, named)})


def check_host(request: web.Request, names: Collection[str], setting: str) -> None:
    """Another site may let a name of its own point here; its page would be of the same origin then.

    An IP address is no name that somebody else could let point here.

    Args:
        setting: the variable that names further origins.

    Raises:
        Forbidden: HOST_REFUSED.
    """
    host = request.headers.get("Host", "")
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name in names or ipaddress.ip_address(name):
            return
    except ValueError:
        pass
    log.warning("host_refused", host=host[:200])
    raise Forbidden(
        "HOST_REFUSED",
        f"this name is not known here; {setting} names the origins under which it may be opened",
    )


def check_origin(request: web.Request, allowed_origins: Collection[str]) -> None:
    """Browsers name the page that asks; a program that is no browser names none.

    Raises:
        Forbidden: ORIGIN_REFUSED.
    """
    origin = request.headers.get("Origin")
    if origin is None or origin.rstrip("/") in allowed_origins:
        return
    with contextlib.suppress(ValueError):
        if urlsplit(origin).netloc == request.host:
            return
    log.warning("origin_refused", origin=origin[:200])
    raise Forbidden("ORIGIN_REFUSED", "another site's page may not ask for this")


def check_json(request: web.Request) -> None:
    """A form or a plain text could be sent by any site's page without asking first.

    Raises:
        HTTPUnsupportedMediaType: a POST of anything but JSON.
    """
    if request.method == "POST" and request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(reason="send JSON, as application/json")


async def json_object(request: web.Request) -> dict[str, Any]:
    """Raises InvalidInput INVALID_REQUEST: no JSON object; DeadlinePassed BODY_TIMEOUT."""
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            body = await request.json()
    except TimeoutError:
        raise DeadlinePassed("BODY_TIMEOUT", "the request did not come to its end") from None
    # LookupError: a charset that nobody knows. RequestPayloadError: broken chunks.
    except (ValueError, RecursionError, LookupError, web.RequestPayloadError):
        body = None
    if not isinstance(body, dict):
        raise InvalidInput("INVALID_REQUEST", "send one JSON object")
    return body


def text_field(body: Mapping[str, Any], name: str) -> str:
    """A field; empty when it is left out. Raises InvalidInput INVALID_REQUEST."""
    value = body.get(name, "")
    # JSON can name halves of characters, which no other part of Glossa could write down.
    if not isinstance(value, str) or any("\ud800" <= each <= "\udfff" for each in value):
        raise InvalidInput("INVALID_REQUEST", f"{name} must be a text", field=name)
    return value


def guard(
    app: web.Application,
    pages: Collection[str],
    check: Callable[[web.Request, str], None],
    *,
    allowed_origins: Iterable[str],
    further_names: Iterable[str] = (),
    setting: str,
) -> None:
    """Stands before everything that `app` answers, also before a route that is added later.

    Args:
        pages: the paths open to all, as they were registered.
        check: raises when the caller may not have what is asked; is given the path of its route as
            it was registered, since what a caller wrote could be spelt in ways that only a router
            understands; empty where there is no such route.
        allowed_origins: further ones from which pages may ask.
        further_names: links under which the site may be opened beside those.
        setting: the variable that names further origins.
    """
    origins = frozenset(allowed_origins)
    names = expected_names((*origins, *further_names))

    @web.middleware
    async def stand(request: web.Request, handler: Handler) -> web.StreamResponse:
        check_host(request, names, setting)
        resource = request.match_info.route.resource
        path = resource.canonical if resource is not None else ""
        if path not in pages:
            check_origin(request, origins)
            check_json(request)
            check(request, path)
        return await handler(request)

    app.middlewares.append(stand)


def bearer_token(request: web.Request) -> str:
    """What the Authorization header brings; empty without one, or with another scheme."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _http_status(error: GlossaError) -> int:
    return next((_HTTP_STATUS[kind] for kind in type(error).__mro__ if kind in _HTTP_STATUS), 400)


def error_body(error: GlossaError) -> dict[str, Any]:
    return {"error": {"reason": error.reason, "message": error.message, "metadata": error.metadata}}


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
