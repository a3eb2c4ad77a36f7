"""Every RPC counted, timed and logged, and its GlossaError turned into a status."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import prometheus_client
import structlog

from services.errors import GlossaError, abort
from services.rpc_wrapping import Continuation, is_grpcs_own, wrapped, writing

log = structlog.get_logger()

RPC_SECONDS = prometheus_client.Histogram(
    "glossa_rpc_duration_seconds",
    "Duration of RPCs by method and status code; for streams, their whole life.",
    ["method", "code"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 60, 600, 3600),
)
RPCS_OPEN = prometheus_client.Gauge("glossa_rpcs_open", "RPCs being served now.", ["method"])


class RpcLog(grpc.aio.ServerInterceptor):
    """Turns GlossaError into a status, counts and times every RPC, and logs one line for each.

    The first of the interceptors: it writes what streams yield.
    """

    async def intercept_service(
        self, continuation: Continuation, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler:
        @contextlib.asynccontextmanager
        async def around(request: Any, context: grpc.aio.ServicerContext) -> AsyncIterator[Any]:
            async with _observed(details.method, context):
                yield request

        handler = await continuation(details)
        if handler is None or is_grpcs_own(details.method):
            return handler
        return writing(wrapped(handler, around))


@contextlib.asynccontextmanager
async def _observed(method: str, context: grpc.aio.ServicerContext) -> AsyncIterator[None]:
    short_name = method.rsplit(".", 1)[-1]
    started_at = time.monotonic()
    code, reason = "OK", ""
    RPCS_OPEN.labels(short_name).inc()
    try:
        yield
    except GlossaError as error:
        code, reason = error.code.name, error.reason
        await abort(context, error)
    except (asyncio.CancelledError, GeneratorExit):
        code = "CANCELLED"
        raise
    except grpc.aio.AbortError:
        code = "ABORTED"
        raise
    except Exception:
        code = "UNKNOWN"
        log.exception("rpc_failed", method=short_name)
        raise
    finally:
        duration_s = time.monotonic() - started_at
        RPCS_OPEN.labels(short_name).dec()
        RPC_SECONDS.labels(short_name, code).observe(duration_s)
        level = log.debug if code == "OK" and duration_s < 1 else log.info
        level("rpc", method=short_name, code=code, reason=reason, ms=round(duration_s * 1000, 1))
