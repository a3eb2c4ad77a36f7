"""Who may call which RPC: one table for every service, and the guard that asks for the token.

view       what screens show
ingest     view, and speak
review     view, and judge pairs
operate    everything that a person does; also what goes past the screens: Follow and FetchAudio
           hold all of a session, hidden and corrected text and its audio
service    what services call of each other; captions and the collector act for people whose own
           token they have looked at
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import grpc

from services.errors import Forbidden
from services.peer_address import host_of_peer
from services.rpc_wrapping import Continuation, wrapped
from services.token_file import Role, Roles, TokenEntry
from services.token_watch import TokenWatch
from services.tokens import TokenBook

# Who looks whether a service is up has no token; reflection names what the .proto files name.
_OPEN_TO_ALL = ("/grpc.health.", "/grpc.reflection.")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an RPC wants.

    Args:
        role: the smallest that may call it.
        by_services: services call it, too.
        session: path of the field in the first request that names the session; empty: it is not
            for tokens of some sessions alone.
    """

    role: Role
    by_services: bool = False
    session: str = ""

    @property
    def roles(self) -> Roles:
        return Roles({self.role, Role.SERVICE} if self.by_services else {self.role})


_OPERATE = Rule(Role.OPERATE)
_OPERATE_OR_SERVICE = Rule(Role.OPERATE, by_services=True)
_REVIEW = Rule(Role.REVIEW)

RULES: Mapping[str, Rule] = {
    "glossa.gateway.v1.GatewayService/StreamAudio": Rule(
        Role.INGEST, by_services=True, session="config.session_id"
    ),
    "glossa.gateway.v1.GatewayService/ListSessions": Rule(Role.VIEW, by_services=True),
    "glossa.gateway.v1.GatewayService/CorrectSegment": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.GatewayService/ReviewPair": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.GatewayService/ForgetSession": _OPERATE,
    "glossa.gateway.v1.GatewayService/EndSession": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.GatewayService/HoldSession": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.GatewayService/ResetSession": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.GatewayService/HideSegment": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.GatewayService/SetScreens": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.GatewayService/GetStatus": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.JournalService/Follow": _OPERATE_OR_SERVICE,
    "glossa.gateway.v1.JournalService/FetchAudio": _OPERATE_OR_SERVICE,
    "glossa.stt.v1.SttService/StreamingTranscribe": _OPERATE_OR_SERVICE,
    "glossa.mt.v1.MtService/Translate": _OPERATE_OR_SERVICE,
    "glossa.mt.v1.MtService/StreamTranslate": _OPERATE_OR_SERVICE,
    "glossa.qe.v1.QeService/Score": _OPERATE_OR_SERVICE,
    "glossa.types.v1.ModelService/GetModel": _OPERATE_OR_SERVICE,
    "glossa.types.v1.ModelService/LoadModel": _OPERATE,
    "glossa.types.v1.ModelService/Rollback": _OPERATE,
    "glossa.captions.v1.CaptionService/Subscribe": Rule(
        Role.VIEW, by_services=True, session="session_id"
    ),
    "glossa.captions.v1.CaptionService/ListSessions": Rule(Role.VIEW, by_services=True),
    "glossa.collector.v1.CollectorService/Stats": _OPERATE,
    "glossa.collector.v1.CollectorService/ExportPairs": _OPERATE,
    "glossa.collector.v1.CollectorService/ListForReview": _REVIEW,
    "glossa.collector.v1.CollectorService/LeaseReview": _REVIEW,
    "glossa.collector.v1.CollectorService/RenewReview": _REVIEW,
    "glossa.collector.v1.CollectorService/ReleaseReview": _REVIEW,
    "glossa.collector.v1.CollectorService/SubmitReview": _REVIEW,
    "glossa.collector.v1.CollectorService/UndoReview": _REVIEW,
    "glossa.collector.v1.CollectorService/FetchReviewAudio": _REVIEW,
    "glossa.collector.v1.CollectorService/MakeReport": _OPERATE,
}


class Access(grpc.aio.ServerInterceptor):
    """Lets a call through whose token is good for it, as long as it is, and one that wants none.

    Its errors are told as a status by RpcLog, which stands before it.

    Args:
        is_trusted: only those come whom one trusts: from this machine, or in a network of one's
            own.
    """

    def __init__(self, book: TokenBook, *, is_trusted: bool) -> None:
        self._book = book
        self._watch = TokenWatch(book)
        self._open = book.open_to_all(is_trusted=is_trusted)

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        handler = await continuation(details)
        method = details.method
        if handler is None or method.startswith(_OPEN_TO_ALL):
            return handler
        rule = RULES.get(method.removeprefix("/"))
        if rule is not None and rule.role in self._open:
            return handler

        @contextlib.asynccontextmanager
        async def around(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            if rule is None:
                raise Forbidden("METHOD_REFUSED", f"nobody has said who may call {method}")
            holder = self._holder(method, rule, context)
            if holder.sessions and handler.request_streaming:
                request = _of_its_sessions(request, holder, rule)
            elif holder.sessions:
                check_session(holder, _named_session(request, rule))
            async with self._watch.while_good(holder):
                yield request

        return wrapped(handler, around)

    def _holder(self, method: str, rule: Rule, context: grpc.aio.ServicerContext) -> TokenEntry:
        """Raises Unauthenticated, Forbidden, Overloaded."""
        if not any(self._book.grants(role) for role in rule.roles):
            raise no_token_set(rule.role)
        holder = self._book.check(_bearer_token(context), host_of_peer(context.peer()), method)
        if not holder.roles & rule.roles:
            raise role_too_small(holder, rule.role)
        return holder


def no_token_set(wanted: Role) -> Forbidden:
    """Nobody at all has a token for what is asked."""
    return Forbidden(
        "NO_TOKEN_SET",
        f"who may {wanted} here has not been said: `./glossa tokens make {wanted} --name NAME` "
        "makes a token, and GLOSSA_TOKENS_FILE names the file that it is kept in",
        wanted=wanted,
    )


def role_too_small(holder: TokenEntry, wanted: Role) -> Forbidden:
    """A token that is known, and not good for what is asked."""
    return Forbidden(
        "ROLE_TOO_SMALL",
        f"this token ({holder.name}) is for {holder.role}, and {wanted} is wanted here; "
        f"bring one for {wanted}, or ask who runs Glossa for it",
        wanted=wanted,
        role=holder.role,
        name=holder.name,
    )


def check_session(holder: TokenEntry, session_id: str) -> None:
    """Raises Forbidden: SESSION_REFUSED."""
    if not holder.reaches(session_id):
        what = f"not for {session_id!r}" if session_id else "one of them has to be named"
        raise Forbidden(
            "SESSION_REFUSED",
            f"this token ({holder.name}) is for the sessions {', '.join(holder.sessions)}; {what}",
            name=holder.name,
        )


def _named_session(request: Any, rule: Rule) -> str:
    return str(attrgetter(rule.session)(request)) if rule.session else ""


async def _of_its_sessions(
    requests: AsyncIterator[Any], holder: TokenEntry, rule: Rule
) -> AsyncIterator[Any]:
    """The requests, the first of which has to name one of the token's sessions."""
    is_first = True
    async for request in requests:
        if is_first:
            check_session(holder, _named_session(request, rule))
            is_first = False
        yield request


def _bearer_token(context: grpc.aio.ServicerContext) -> str:
    """What the metadata bring; empty without a token, or with another scheme."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            given = value.decode(errors="replace") if isinstance(value, bytes) else value
            scheme, _, token = given.partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""
