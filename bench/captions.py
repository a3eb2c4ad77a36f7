"""`./glossa bench captions`: what a caption costs on its way to many displays."""

from __future__ import annotations

import click

from cli.options import json_option


@click.command(name="captions")
@click.option(
    "--viewers",
    default=1000,
    show_default=True,
    type=click.IntRange(2, 50_000),
    help="Displays at once.",
)
@click.option(
    "--transport",
    default="websocket",
    show_default=True,
    type=click.Choice(["websocket", "sse", "grpc"]),
    help="How they are connected.",
)
@click.option(
    "--updates-per-s",
    default=6.0,
    show_default=True,
    type=click.FloatRange(0.1, 1000),
    help="Updates of the sermon: partials of two languages in turn, and in 24 of them two finals.",
)
@click.option(
    "--seconds",
    default=20.0,
    show_default=True,
    type=click.FloatRange(1, 3600),
    help="How long is measured.",
)
@click.option(
    "--stalled",
    type=click.IntRange(min=0),
    help="Of the displays, those that read nothing.  [default: 1 %, at least 1]",
)
@click.option(
    "--reconnect",
    default=0,
    show_default=True,
    type=click.IntRange(0, 50_000),
    help="Displays that then lose their connection and come back all at once.",
)
@json_option
def command(
    viewers: int,
    transport: str,
    updates_per_s: float,
    seconds: float,
    stalled: int | None,
    reconnect: int,
    as_json: bool,
) -> None:
    """The captions service beside a naive server, a sermon to many displays each.

    A real captions process follows a scripted gateway, on a core of its own where the system lets
    that be chosen. The naive server sends to each display in turn, over WebSocket, and waits for
    it; it is measured once with displays that stall and once without. What an hour of captions is
    goes to the displays that stall beforehand: it fills every buffer on the way to them.

    p99_ms: from an update's making in the gateway to its arrival at a display, over all that
    arrived. cpu_us_per_delivery: user and system time of the server while the updates went out, for
    each update that arrived. delivered: updates that arrived at displays that read, of updates made
    times those displays; a partial that gave way to a newer one counts as not delivered, and so
    does what comes more than 5 s after the last. finals_delivered: the same of finals alone.
    reconnect.recovered_s: until the last of them had the final that it had missed.

    \b
    ./glossa bench captions --viewers 1000
    ./glossa bench captions --viewers 500 --transport grpc
    ./glossa bench captions --viewers 100 --seconds 5 --reconnect 2000 --json
    """
    import asyncio
    import json

    from bench.captions_run import Load, measure

    asleep = max(1, viewers // 100) if stalled is None else stalled
    if asleep >= viewers:
        raise click.BadParameter(
            f"{asleep} of {viewers} displays would leave nobody to measure; give a smaller number",
            param_hint="--stalled",
        )
    load = Load(viewers, transport, updates_per_s, seconds, asleep, reconnect)
    try:
        figures = asyncio.run(measure(load))
    except (RuntimeError, TimeoutError) as error:
        raise click.ClickException(
            f"could not be measured: {error or 'it took too long'}"
        ) from None
    if as_json:
        click.echo(json.dumps(figures))
