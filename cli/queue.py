"""`./glossa queue`: what has been collected, and its export as training data."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import click

if TYPE_CHECKING:
    from glossa.collector.v1 import collector_pb2, collector_pb2_grpc

BANDS = ("accept", "moderate", "review", "reject")  # best first
_NEWEST = 5
_STATS_TIMEOUT_S = 10.0
_SILENCE_TIMEOUT_S = 30.0  # an export may last; its collector may not fall silent

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def _collector_option(command: CommandT) -> CommandT:
    return click.option(
        "--collector",
        metavar="HOST:PORT",
        envvar="GLOSSA_COLLECTOR_ADDRESS",
        help="Collector to ask.  [default: that of the running stack]",
    )(command)


@click.group(invoke_without_command=True)
@_collector_option
@click.option("--session", default="", metavar="ID", help="Count one session only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.pass_context
def queue(context: click.Context, collector: str | None, session: str, as_json: bool) -> None:
    """Show and export the collected pairs.

    Every translated sentence is scored and put in one of four bands: accept (train on it), moderate
    (probably good), review (a person should look), reject (kept for the record). Without a further
    word this shows how many there are and the newest of them.

    \b
    ./glossa queue
    ./glossa queue export --band accept --out sermon_pairs.jsonl
    """
    context.obj = collector, session
    if context.invoked_subcommand is None:
        _run(_show(_address(collector), session, as_json))


@queue.command()
@_collector_option
@click.option(
    "--band",
    "bands",
    multiple=True,
    type=click.Choice(BANDS),
    default=("accept",),
    show_default=True,
    help="Band to export; may be given several times.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, allow_dash=True, path_type=str),
    help="File to write, replaced only when the export is whole; - for stdout.",
)
@click.option("--session", default="", metavar="ID", help="Export one session only.")
@click.pass_context
def export(
    context: click.Context, collector: str | None, bands: tuple[str, ...], out: str, session: str
) -> None:
    """Write pairs as JSON, one object a line, oldest first.

    Texts are named by their language: {"en": "...", "es": "...", "source": "sermon", "session_id":
    ..., "quality_score": ..., "stt_confidence": ..., "translation_qe": ..., "marian_agreement":
    ..., "timestamp": ...} with ids, models, offsets and every signal beside them. What was not
    measured is null: translation_qe is set only when a learned model gave it.
    """
    group_collector, group_session = context.obj
    address = _address(collector or group_collector)
    _run(_export(address, bands, out, session or group_session))


# Asking the collector


def _address(collector: str | None) -> str:
    from cli.stack import address_of

    return collector or address_of("collector")


def _run(work: Any) -> None:
    """Runs to the end; a collector that fails is one clear line and exit status 1."""
    import asyncio

    import grpc

    try:
        asyncio.run(work)
    except grpc.aio.AioRpcError as error:
        raise click.ClickException(_explain(error)) from error
    except TimeoutError as error:
        raise click.ClickException(
            f"the collector sent nothing for {_SILENCE_TIMEOUT_S:g} s; look at its log"
        ) from error


def _explain(error: Any) -> str:
    from services.errors import reason_of

    reason = reason_of(error)
    if reason == "UNAVAILABLE":
        return (
            "no collector answers; start the services with `./glossa up`, or name another one "
            f"with --collector HOST:PORT ({error.details()})"
        )
    if reason == "DEADLINE_EXCEEDED":
        return f"the collector did not answer within {_STATS_TIMEOUT_S:g} s; look at its log"
    return f"{error.details()} ({reason})"


class _Collector:
    """A connection to the collector."""

    def __init__(self, address: str) -> None:
        import grpc

        from glossa.collector.v1 import collector_pb2_grpc
        from services.serving import CHANNEL_OPTIONS

        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._stub: collector_pb2_grpc.CollectorServiceStub = (
            collector_pb2_grpc.CollectorServiceStub(self._channel)
        )

    async def __aenter__(self) -> _Collector:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def stats(self, session_id: str) -> collector_pb2.StatsResponse:
        from glossa.collector.v1 import collector_pb2

        answer: collector_pb2.StatsResponse = await self._stub.Stats(
            collector_pb2.StatsRequest(session_id=session_id), timeout=_STATS_TIMEOUT_S
        )
        return answer

    async def pairs(
        self, bands: tuple[str, ...], session_id: str, newest: int = 0
    ) -> AsyncIterator[collector_pb2.ScoredPair]:
        import asyncio

        import grpc

        from glossa.collector.v1 import collector_pb2

        numbers: list[Any] = [collector_pb2.Band.Value(f"BAND_{band.upper()}") for band in bands]
        call = self._stub.ExportPairs(
            collector_pb2.ExportPairsRequest(
                bands=numbers,
                session_id=session_id,
                newest=newest,
            )
        )
        try:
            while True:
                async with asyncio.timeout(_SILENCE_TIMEOUT_S):
                    response = await call.read()
                if response is grpc.aio.EOF:
                    return
                yield response.pair
        finally:
            call.cancel()


def _band_name(number: int) -> str:
    from glossa.collector.v1 import collector_pb2

    return collector_pb2.Band.Name(number).removeprefix("BAND_").lower()


# Showing


async def _show(address: str, session_id: str, as_json: bool) -> None:
    async with _Collector(address) as collector:
        stats = await collector.stats(session_id)
        newest = [pair async for pair in collector.pairs(BANDS, session_id, _NEWEST)]
    if as_json:
        import json

        click.echo(json.dumps(_as_object(stats, newest), ensure_ascii=False))
    else:
        _print_tables(stats, newest, session_id)


def _as_object(stats: Any, newest: list[Any]) -> dict[str, Any]:
    counts = {_band_name(count.band): count for count in stats.counts}
    return {
        "journal_id": stats.journal_id,
        "cursor_sequence": stats.cursor_sequence,
        "pairs": {band: count.pair_count for band, count in counts.items()},
        "queue_lengths": {band: counts[band].queue_length for band in BANDS},
        "exclusions": {item.reason: item.pair_count for item in stats.exclusions},
        "newest": [_training_object(pair) for pair in newest],
    }


def _print_tables(stats: Any, newest: list[Any], session_id: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    title = f"Pairs of session {session_id}" if session_id else "Pairs"
    table = Table(title=title, title_justify="left")
    table.add_column("band")
    table.add_column("collected", justify="right")
    table.add_column("share", justify="right")
    table.add_column("in Redis", justify="right")
    total = sum(count.pair_count for count in stats.counts)
    for count in stats.counts:
        band = _band_name(count.band)
        table.add_row(
            band,
            str(count.pair_count),
            f"{count.pair_count / total:.0%}" if total else "",
            str(count.queue_length) if band in BANDS else "",
        )
    console.print(table)
    console.print(
        f"journal {stats.journal_id or 'not seen yet'}, up to event {stats.cursor_sequence}",
        style="dim",
    )
    if stats.exclusions:
        table = Table(title="Excluded", title_justify="left")
        table.add_column("reason")
        table.add_column("pairs", justify="right")
        for item in stats.exclusions:
            table.add_row(item.reason, str(item.pair_count))
        console.print(table)
    if newest:
        table = Table(title="Newest", title_justify="left")
        for heading in ("time (UTC)", "band", "score", "source", "target"):
            table.add_column(heading)
        for pair in newest:
            table.add_row(
                _timestamp(pair)[:19].replace("T", " "),
                _band_name(pair.band),
                f"{pair.quality_score:.2f}",
                Text(pair.source_text),  # as text: what was said is no markup
                Text(pair.target_text),
            )
        console.print(table)
    elif not total:
        console.print("Nothing has been collected yet: `./glossa demo` feeds a passage.")


# Exporting


async def _export(address: str, bands: tuple[str, ...], out: str, session_id: str) -> None:
    import json

    count = 0
    with _output(out) as stream:
        async with _Collector(address) as collector:
            async for pair in collector.pairs(bands, session_id):
                line = json.dumps(_training_object(pair), ensure_ascii=False, allow_nan=False)
                stream.write(line.encode() + b"\n")
                count += 1
        stream.flush()
    where = "stdout" if out == "-" else out
    click.echo(f"{count} {'pair' if count == 1 else 'pairs'} written to {where}", err=True)


@contextlib.contextmanager
def _output(out: str) -> Iterator[BinaryIO]:
    """Where to write; a file is replaced in one step at the end, and only when all went well."""
    import os
    import sys

    path = Path(os.path.realpath(out))
    try:
        if out == "-":
            yield sys.stdout.buffer
        elif path.exists() and not path.is_file():  # a pipe or a device cannot be replaced
            with path.open("wb") as stream:
                yield stream
        else:
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            try:
                with part.open("wb") as stream:
                    yield stream
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    except (BrokenPipeError, TimeoutError):
        raise  # a reader that has seen enough (click ends quietly), a silent collector
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror or error}") from error


def _training_object(pair: Any) -> dict[str, Any]:
    """One line of training data; what was not measured is None."""

    def measured(message: Any, field: str) -> float | None:
        return getattr(message, field) if message.HasField(field) else None

    return {
        pair.source_language: pair.source_text,
        pair.target_language: pair.target_text,
        "source": "sermon",
        "session_id": pair.session_id,
        "quality_score": pair.quality_score,
        "stt_confidence": measured(pair, "stt_confidence"),
        "translation_qe": measured(pair, "translation_qe"),
        "marian_agreement": measured(pair, "marian_agreement"),
        "timestamp": _timestamp(pair),
        "pair_id": pair.pair_id,
        "segment_id": pair.segment_id,
        "source_language": pair.source_language,
        "target_language": pair.target_language,
        "band": _band_name(pair.band),
        "stt_model": pair.stt_model,
        "mt_model": pair.mt_model,
        "start_offset_ms": pair.start_offset_ms,
        "end_offset_ms": pair.end_offset_ms,
        "sequence": pair.sequence,
        "signals": {signal.name: measured(signal, "value") for signal in pair.signals},
    }


def _timestamp(pair: Any) -> str:
    """When the pair was scored: ISO 8601 in UTC, to the millisecond."""
    from datetime import UTC

    time = pair.time.ToDatetime(tzinfo=UTC)
    return str(time.isoformat(timespec="milliseconds").replace("+00:00", "Z"))
