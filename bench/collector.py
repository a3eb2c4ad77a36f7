"""`./glossa bench collector`: how fast pairs reach Redis, and what an outage of Redis costs."""

from __future__ import annotations

import click

from cli.options import json_option

FAULTS = ("killed", "frozen", "read-only")


@click.command(name="collector")
@click.option(
    "--pairs",
    default=20_000,
    show_default=True,
    type=click.IntRange(100, 1_000_000),
    help="Scored pairs in the journal.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=click.Choice(FAULTS),
    help="Also with a Redis that is so for a while in the middle; may be given several times.",
)
@click.option(
    "--outage-s",
    default=10.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    help="How long a fault lasts.",
)
@json_option
def command(pairs: int, faults: tuple[str, ...], outage_s: float, as_json: bool) -> None:
    """Pairs a second from a gateway's journal into Redis.

    A real gateway serves a journal that was filled beforehand, a real collector reads it from its
    beginning into an empty Redis. Afterwards the journal and the streams are compared pair by pair.
    With --fault it is done again for each fault: Redis goes when a fifth is there, stays away for
    --outage-s seconds, and what is left then is the backlog.

    \b
    ./glossa bench collector
    ./glossa bench collector --fault killed --fault frozen --fault read-only --outage-s 600
    """
    import asyncio
    import json

    from bench.collecting import measure

    figures = asyncio.run(measure(pairs, faults, outage_s))
    if as_json:
        click.echo(json.dumps(figures))
