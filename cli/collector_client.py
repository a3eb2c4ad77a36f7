"""A connection to the collector, and what the verbs that use it share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from glossa.collector.v1 import collector_pb2, collector_pb2_grpc

STATS_TIMEOUT_S = 10.0
SILENCE_TIMEOUT_S = 30.0  # an export may last; its collector may not fall silent

CommandT = TypeVar("CommandT", bound=Callable[..., Any])
ResultT = TypeVar("ResultT")


def collector_option(command: CommandT) -> CommandT:
    return click.option(
        "--collector",
        metavar="HOST:PORT",
        envvar="GLOSSA_COLLECTOR_ADDRESS",
        help="Collector to ask.  [default: that of the running stack]",
    )(command)


def collector_address(collector: str | None) -> str:
    from cli.stack import address_of

    return collector or address_of("collector")


def run(work: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Runs to the end; a service that fails is one clear line and exit status 1."""
    import asyncio

    from cli.signals import sentence
    from services.errors import GlossaError

    try:
        return asyncio.run(work)
    except GlossaError as error:
        raise click.ClickException(sentence(error)) from error
    except TimeoutError as error:
        raise click.ClickException(
            f"the collector sent nothing for {SILENCE_TIMEOUT_S:g} s; look at its log"
        ) from error


class Collector:
    """A connection to the collector: a call that fails within its context is a GlossaError."""

    def __init__(self, address: str) -> None:

        from cli.client import Peer
        from glossa.collector.v1 import collector_pb2_grpc
        from services.channels import open_channel

        self._peer = Peer("collector", address, "--collector")
        self._channel = open_channel(address)
        self.stub: collector_pb2_grpc.CollectorServiceStub = (
            collector_pb2_grpc.CollectorServiceStub(self._channel)
        )

    async def __aenter__(self) -> Collector:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        import grpc

        from cli.client import as_glossa_error

        await self._channel.close()
        if isinstance(error, grpc.aio.AioRpcError):
            raise as_glossa_error(error, self._peer) from error

    async def stats(self, session_id: str = "") -> collector_pb2.StatsResponse:
        from glossa.collector.v1 import collector_pb2

        answer: collector_pb2.StatsResponse = await self.stub.Stats(
            collector_pb2.StatsRequest(session_id=session_id), timeout=STATS_TIMEOUT_S
        )
        return answer

    async def pairs(
        self, bands: Sequence[str], session_id: str = "", newest: int = 0
    ) -> AsyncIterator[collector_pb2.ScoredPair]:
        """Pairs of the bands, oldest first; with `newest` that many of the newest, newest first."""
        import asyncio

        import grpc

        from glossa.collector.v1 import collector_pb2

        numbers: list[Any] = [collector_pb2.Band.Value(f"BAND_{band.upper()}") for band in bands]
        call = self.stub.ExportPairs(
            collector_pb2.ExportPairsRequest(
                bands=numbers,
                session_id=session_id,
                newest=newest,
            )
        )
        try:
            while True:
                async with asyncio.timeout(SILENCE_TIMEOUT_S):
                    response = await call.read()
                if response is grpc.aio.EOF:
                    return
                yield response.pair
        finally:
            call.cancel()
