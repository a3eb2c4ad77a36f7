"""Lines in, lines out, through an mt service."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import grpc
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.client import Peer, as_glossa_error
from cli.lone_service import Lone, service_for
from cli.signals import sentence
from glossa.mt.v1 import mt_pb2, mt_pb2_grpc
from services.channels import open_channel
from services.errors import GlossaError, Unavailable

_TIMEOUT_S = 120.0  # a large model on a slow machine
_IN_FLIGHT = 8  # so that a runtime that can translate several at once may


@dataclass(frozen=True)
class Translation:
    """What is asked for each line."""

    source_language: str
    target_language: str
    draft: bool = False


async def translate_lines(
    lines: Sequence[str] | None,
    wanted: Translation,
    *,
    address: str | None,
    lone: Lone | None,
) -> int:
    """Prints a translation a line, in order; `lines` None reads stdin. Returns the exit status.

    Args:
        address: of an mt service; None for the stack that runs here.
        lone: profile and settings of an mt to start; also when neither is there.

    Raises:
        GlossaError: the service cannot be started or reached.
    """
    if lines is None:
        given = await asyncio.to_thread(lambda: sys.stdin.read().splitlines())
    else:
        given = list(lines)
    async with service_for("mt", address, lone) as found, _stub(found) as stub:
        failures = 0
        with _progress(len(given)) as progress:
            bar = progress.add_task("translating", total=len(given))
            peer = Peer("mt", found, "--mt")
            async for number, answer in _answers(stub, peer, given, wanted):
                if isinstance(answer, GlossaError):
                    failures += 1
                    sys.stderr.write(f"glossa: line {number}: {sentence(answer)}\n")
                sys.stdout.write(("" if isinstance(answer, GlossaError) else answer) + "\n")
                progress.advance(bar)
        sys.stdout.flush()
    return 1 if failures else 0


async def _answers(
    stub: mt_pb2_grpc.MtServiceStub, peer: Peer, lines: Sequence[str], wanted: Translation
) -> AsyncIterator[tuple[int, str | GlossaError]]:
    """Line number (from 1) and its translation or error, in order, a few calls at a time.

    Raises:
        GlossaError: what every further line would meet, too.
    """
    under_way: list[asyncio.Task[str | GlossaError]] = []
    waiting = iter(lines)
    number = 0
    try:
        while True:
            while len(under_way) < _IN_FLIGHT and (line := next(waiting, None)) is not None:
                under_way.append(asyncio.create_task(_answer(stub, peer, line, wanted)))
            if not under_way:
                return
            number += 1
            answer = await under_way.pop(0)
            fatal = isinstance(answer, Unavailable) or (
                isinstance(answer, GlossaError) and answer.reason == "UNSUPPORTED_LANGUAGE_PAIR"
            )
            if fatal and isinstance(answer, GlossaError):
                raise answer
            yield number, answer
    finally:
        for task in under_way:
            task.cancel()


async def _answer(
    stub: mt_pb2_grpc.MtServiceStub, peer: Peer, line: str, wanted: Translation
) -> str | GlossaError:
    if not line.strip():
        return ""
    request = mt_pb2.TranslateRequest(
        text=line.strip(),
        source_language=wanted.source_language,
        target_language=wanted.target_language,
        draft=wanted.draft,
    )
    try:
        answer = await stub.Translate(request, timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return as_glossa_error(error, peer)
    return " ".join(str(answer.text).splitlines())  # a line in, a line out


@contextlib.asynccontextmanager
async def _stub(address: str) -> AsyncIterator[mt_pb2_grpc.MtServiceStub]:
    async with open_channel(address) as channel:
        yield mt_pb2_grpc.MtServiceStub(channel)


def _progress(count: int) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        *Progress.get_default_columns()[1:2],
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        # A bar over lines that come out on the same terminal would tear them.
        disable=not console.is_terminal or sys.stdout.isatty() or count < 2,
        transient=True,
    )
