"""Who may do what on the web port.

Pages are open to all, they hold nothing. What they ask for wants a role:

view       captions and what belongs to them
ingest     /operator/microphone
operate    the rest of /operator/

Which token is good for which, and what nobody needs one for, is told by the book of tokens. A token
of some sessions alone names one of them in each address; a list shows it no other.

A token comes in `Authorization: Bearer`, in the cookie of /sign-in, or as `?token=` from programs
that can do neither (OBS, VLC).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

from aiohttp import web

from services.access import check_session, no_token_set, role_too_small
from services.captions.settings import CaptionsSettings
from services.errors import Overloaded, Unauthenticated
from services.token_file import Role, Roles, TokenEntry, key_of
from services.token_watch import TokenWatch
from services.tokens import TokenBook
from services.web import (
    bearer_token,
    guard,
    json_answer,
    json_object,
    text_field,
)

# What /access may answer, in this order.
_ROLES = (Role.VIEW, Role.INGEST, Role.OPERATE)
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP", "Via")
_MICROPHONE = "/operator/microphone"
_OPERATOR = "/operator/"
_SESSIONS = "/sessions"
_WEB_SOCKET = "/ws"
_EVENTS = "/events"
WhileGood = Callable[[], AbstractAsyncContextManager[None]]
# They look at the caller's tokens themselves.
_OWN = ("/access", "/sign-in")
_WHILE_GOOD = web.RequestKey[WhileGood]("while_good", partial)
_HOLDERS = web.RequestKey[tuple[TokenEntry, ...]]("holders", tuple)


class Access:
    """/access, /sign-in, and the guard before every other route."""

    def __init__(self, settings: CaptionsSettings) -> None:
        self._allowed_origins = settings.allowed_origins
        self._public_url = settings.public_url
        # Cookies know no ports: another captions service on this machine has its own.
        self._cookie_name = f"glossa_captions_{settings.web_port}"
        self._book = TokenBook(settings.tokens_file, settings.plain_tokens, settings.open_roles)
        self._watch = TokenWatch(self._book)
        self._anybody = self._book.open_to_all(is_trusted=settings.is_web_local)

    def routes(self) -> Sequence[web.RouteDef]:
        return [web.get("/access", self._access), web.post("/sign-in", self._sign_in)]

    def guard(self, app: web.Application, pages: frozenset[str]) -> None:
        """Stands before everything that `app` answers; `pages` are the paths open to all."""
        guard(
            app,
            pages,
            self._check,
            allowed_origins=self._allowed_origins,
            further_names=(self._public_url,),
            setting="GLOSSA_CAPTIONS_ALLOWED_ORIGINS",
        )

    async def _access(self, request: web.Request) -> web.Response:
        holders, _ = self._holders(request)
        roles = self._without_token(request).union(*(each.roles for each in holders))
        return json_answer(_answer(roles))

    async def _sign_in(self, request: web.Request) -> web.Response:
        token = text_field(await json_object(request), "token")
        holder = self._checked(request, token)
        before = self._cookie_beside(holder, request)
        answer = json_answer(_answer(self._without_token(request) | holder.roles))
        # An operator who follows a link for phones stays an operator.
        if before is None or not before.roles > holder.roles:
            answer.set_cookie(
                self._cookie_name,
                key_of(token),
                path="/",
                httponly=True,
                samesite="Strict",
                secure=_is_encrypted(request),
            )
        return answer

    def _check(self, request: web.Request, path: str) -> None:
        """Raises Unauthenticated, Forbidden, Overloaded."""
        wanted = _wanted_role(path)
        if path in _OWN or wanted in self._without_token(request):
            return
        if not self._book.grants(wanted):
            raise no_token_set(wanted)
        holders, refusal = self._holders(request)
        good = [each for each in holders if wanted in each.roles]
        if good:
            session_id = _named_session(request, path)
            holder = next((each for each in good if each.reaches(session_id)), good[0])
            if path != _SESSIONS:
                check_session(holder, session_id)
            request[_HOLDERS] = tuple(good)
            while_good: WhileGood = partial(self._watch.while_good, holder)
            request[_WHILE_GOOD] = while_good
        elif holders:
            raise role_too_small(holders[0], wanted)
        else:
            raise refusal

    def _without_token(self, request: web.Request) -> Roles:
        """What a proxy on this machine passes on comes from elsewhere: it may be read, no more."""
        if any(name in request.headers for name in _FORWARDED):
            return self._anybody & {Role.VIEW}
        return self._anybody

    def _holders(self, request: web.Request) -> tuple[list[TokenEntry], Unauthenticated]:
        """Whose token and whose cookie the caller brings, and what else is to be told them.

        Who brings two may do what either of them is good for.

        Raises Overloaded.
        """
        holder, refused = None, Unauthenticated("", "")
        try:
            holder = self._checked(request, _given_token(request))
        except Unauthenticated as refusal:
            refused = refusal
        found = (holder, self._cookie_beside(holder, request))
        return [each for each in found if each is not None], refused

    def _checked(self, request: web.Request, token: str) -> TokenEntry:
        """Raises Unauthenticated; Overloaded."""
        return self._book.check(token, *_asked(request))

    def _cookie_beside(self, holder: TokenEntry | None, request: web.Request) -> TokenEntry | None:
        """Whose cookie the caller brings beside a token.

        Raises Overloaded: of somebody without a token. A right one is good for what it is, though
        neighbours guess cookies: it lets a browser in that cannot drop a stale cookie.
        """
        key = request.cookies.get(self._cookie_name, "")
        try:
            return self._book.holder_of_key(key, *_asked(request)) if key else None
        except Overloaded:
            if holder is None:
                raise
            return None


def may_see(request: web.Request, session_id: str) -> bool:
    """Whether a list that the caller gets may name a session."""
    holders = request.get(_HOLDERS)
    return holders is None or any(each.reaches(session_id) for each in holders)


def while_allowed(request: web.Request) -> AbstractAsyncContextManager[None]:
    """What stays open goes on within: it is cancelled when the caller's token ends.

    Raises Unauthenticated: TOKEN_UNKNOWN, TOKEN_EXPIRED.
    """
    while_good = request.get(_WHILE_GOOD)
    return nullcontext() if while_good is None else while_good()


def _wanted_role(path: str) -> Role:
    if path == _MICROPHONE:
        return Role.INGEST
    return Role.OPERATE if path.startswith(_OPERATOR) else Role.VIEW


def _asked(request: web.Request) -> tuple[str, str]:
    """By whom, and for what."""
    # As it came: what is unescaped could steer the terminal that shows the log.
    return request.remote or "", request.rel_url.raw_path


def _named_session(request: web.Request, path: str) -> str:
    """Of which session an address is; what a microphone is for comes only after its address."""
    if path in (_WEB_SOCKET, _EVENTS):
        return request.query.get("session", "")
    return request.match_info.get("session_id", "")


def _answer(roles: Roles) -> dict[str, Any]:
    """`wants_token`: not even captions may be read without one."""
    return {
        "roles": [role.value for role in _ROLES if role in roles],
        "wants_token": Role.VIEW not in roles,
    }


def _given_token(request: web.Request) -> str:
    # No token has a blank; a plus that nobody escaped in an address comes as one.
    return bearer_token(request) or request.query.get("token", "").replace(" ", "+")


def _is_encrypted(request: web.Request) -> bool:
    """Also where a proxy does it. Who lies about it keeps their own cookie from being sent."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "") == "https"
