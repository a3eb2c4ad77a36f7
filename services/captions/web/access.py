"""Who may do what on the web port.

Pages are open to all, they hold nothing. What they ask for wants a role:

view       captions and what belongs to them    the view token; anyone while none is set
ingest     /operator/microphone                 the ingest token
operate    the rest of /operator/               the operator's token

The ingest token is good for view, too, the operator's for everything. While neither it nor the view
token is set, who sits at this machine needs none: then nobody else reaches the port.

A token comes in `Authorization: Bearer`, in the cookie of /sign-in, or as `?token=` from programs
that can do neither (OBS, VLC).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog
from aiohttp import web

from services.captions.settings import CaptionsSettings
from services.captions.web.wrong_tokens import WrongTokens
from services.errors import Forbidden, Unauthenticated
from services.web import (
    Handler,
    bearer_token,
    check_host,
    check_json,
    check_origin,
    expected_names,
    is_same_secret,
    json_answer,
    json_object,
    text_field,
)

log = structlog.get_logger()

_COOKIE_PURPOSE = b"glossa captions cookie"
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")
_MICROPHONE = "/operator/microphone"
_OPERATOR = "/operator/"


class Role(Enum):
    """What somebody may do; by the names that /access gives."""

    VIEW = "view"
    INGEST = "ingest"
    OPERATE = "operate"


Roles = frozenset[Role]


@dataclass(frozen=True, slots=True)
class _Secret:
    """A token, and the cookie that stands for it.

    The cookie is made of the token, so that it outlives a restart and ends with the token; the
    token cannot be made of it.
    """

    token: str
    roles: Roles

    @property
    def cookie(self) -> str:
        return hmac.new(self.token.encode(), _COOKIE_PURPOSE, hashlib.sha256).hexdigest()


class Access:
    """/access, /sign-in, and the guard before every other route."""

    def __init__(self, settings: CaptionsSettings) -> None:
        self._allowed_origins = settings.allowed_origins
        self._names = expected_names((*settings.allowed_origins, settings.public_url))
        # Cookies know no ports: another captions service on this machine has its own.
        self._cookie_name = f"glossa_captions_{settings.web_port}"
        self._secrets = _secrets(settings)
        self._anybody = _roles_without_token(settings)
        self._pages: frozenset[str] = frozenset()
        self._wrong_tokens = WrongTokens()

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/access", self._access), web.post("/sign-in", self._sign_in)]

    def guard(self, app: web.Application, pages: frozenset[str]) -> None:
        """Stands before everything that `app` answers; `pages` are the paths open to all."""
        self._pages = pages
        app.middlewares.append(self._check)

    @web.middleware
    async def _check(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        check_host(request, self._names, "GLOSSA_CAPTIONS_ALLOWED_ORIGINS")
        resource = request.match_info.route.resource
        # As it was registered: what the caller wrote could be spelt in ways that only a router
        # understands.
        path = resource.canonical if resource is not None else ""
        if path in self._pages:
            return await handler(request)
        check_origin(request, self._allowed_origins)
        check_json(request)
        if path not in ("/access", "/sign-in"):
            self._check_role(request, _wanted_role(path))
        return await handler(request)

    async def _access(self, request: web.Request) -> web.Response:
        return json_answer(_answer(self._without_token(request) | self._roles(request)))

    async def _sign_in(self, request: web.Request) -> web.Response:
        token = text_field(await json_object(request), "token")
        secret = self._secret(request, token) if token else None
        if secret is None:
            raise _refused(token)
        before = self._secret_of_cookie(request)
        answer = json_answer(_answer(self._without_token(request) | secret.roles))
        # An operator who follows a link for phones stays an operator.
        if before is None or not before.roles > secret.roles:
            answer.set_cookie(
                self._cookie_name,
                secret.cookie,
                path="/",
                httponly=True,
                samesite="Strict",
                secure=_is_encrypted(request),
            )
        return answer

    def _check_role(self, request: web.Request, wanted: Role) -> None:
        if wanted in self._without_token(request):
            return
        if not any(wanted in secret.roles for secret in self._secrets):
            raise Forbidden(
                "NO_TOKEN_SET",
                f"who may {wanted.value} here has not been said: set GLOSSA_CAPTIONS_"
                f"{'INGEST' if wanted is Role.INGEST else 'OPERATOR'}_TOKEN and start captions "
                "again (openssl rand -hex 16 makes a token)",
            )
        roles = self._roles(request)
        if wanted in roles:
            return
        if roles:
            raise Forbidden("ROLE_REFUSED", f"this token is not good to {wanted.value}")
        raise _refused(_given_token(request))

    def _without_token(self, request: web.Request) -> Roles:
        """What a proxy on this machine passes on comes from elsewhere: it may be read, no more."""
        if any(name in request.headers for name in _FORWARDED):
            return self._anybody & {Role.VIEW}
        return self._anybody

    def _roles(self, request: web.Request) -> Roles:
        """What the caller's token or cookie is good for. Raises Overloaded."""
        token = _given_token(request)
        by_token = self._secret(request, token) if token else None
        by_cookie = self._secret_of_cookie(request)
        return Roles().union(*(each.roles for each in (by_token, by_cookie) if each is not None))

    def _secret(self, request: web.Request, token: str) -> _Secret | None:
        peer = request.remote or ""
        self._wrong_tokens.check(peer)
        # No token has a blank; a plus that nobody escaped in an address comes as one.
        given = token.replace(" ", "+")
        found = self._first(given, [secret.token for secret in self._secrets])
        if found is None:
            self._wrong_tokens.count(peer)
            # As it came: what is unescaped could steer the terminal that shows the log.
            log.warning("token_refused", peer=peer, path=request.rel_url.raw_path[:200])
        return found

    def _secret_of_cookie(self, request: web.Request) -> _Secret | None:
        given = request.cookies.get(self._cookie_name, "")
        return self._first(given, [secret.cookie for secret in self._secrets])

    def _first(self, given: str, values: Sequence[str]) -> _Secret | None:
        """The secret that `given` stands for; compared with all of them whatever it is."""
        is_same = [is_same_secret(given, value) for value in values]
        return self._secrets[is_same.index(True)] if any(is_same) else None


def _secrets(settings: CaptionsSettings) -> list[_Secret]:
    """The mightiest first: the same token may have been set twice."""
    given = (
        (settings.operator_token, Roles(Role)),
        (settings.ingest_token, Roles({Role.VIEW, Role.INGEST})),
        (settings.view_token, Roles({Role.VIEW})),
    )
    return [_Secret(token.get_secret_value(), roles) for token, roles in given if token]


def _roles_without_token(settings: CaptionsSettings) -> Roles:
    if settings.view_token:
        return Roles()  # who may not even read may do nothing else
    roles = {Role.VIEW}
    if settings.is_web_local and not settings.ingest_token:
        roles.add(Role.INGEST)
    if settings.is_web_local and not settings.operator_token:
        roles.add(Role.OPERATE)
    return Roles(roles)


def _wanted_role(path: str) -> Role:
    if path == _MICROPHONE:
        return Role.INGEST
    return Role.OPERATE if path.startswith(_OPERATOR) else Role.VIEW


def _answer(roles: Roles) -> dict[str, Any]:
    """`wants_token`: not even captions may be read without one."""
    return {
        "roles": [role.value for role in Role if role in roles],
        "wants_token": Role.VIEW not in roles,
    }


def _given_token(request: web.Request) -> str:
    return bearer_token(request) or request.query.get("token", "")


def _refused(token: str) -> Unauthenticated:
    """`token` is what was given; empty: none."""
    what = "this token is not the right one" if token else "a token is wanted here"
    return Unauthenticated(
        "TOKEN_REFUSED", f"{what}; open the link that you were given, or ask for it"
    )


def _is_encrypted(request: web.Request) -> bool:
    """Also where a proxy does it. Who lies about it keeps their own cookie from being sent."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
