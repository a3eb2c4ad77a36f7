"""Who may call a service, by the certificate that a caller shows."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc

from services.errors import Forbidden
from services.rpc_wrapping import Continuation, wrapped_if_ours


class KnownCallers(grpc.aio.ServerInterceptor):
    """Refuses callers whose certificate is of no name in `names`; any one is told of health.

    Its errors are told as a status by RpcLog, which stands before it.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = frozenset(names)

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        return await wrapped_if_ours(continuation, details, self._known)

    @contextlib.asynccontextmanager
    async def _known(self, request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
        shown = context.auth_context().get("x509_common_name", [])
        names = {name.decode(errors="replace") for name in shown}
        if not names & self._names:
            raise Forbidden(
                "CALLER_REFUSED",
                f"the certificate of {', '.join(sorted(names)) or 'nobody'} may not call this "
                f"service; that of {' or '.join(sorted(self._names))} may",
            )
        yield request
