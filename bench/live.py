"""`./glossa bench live`: what Glossa itself adds to a caption's lag, with the engines taken out."""

from __future__ import annotations

import click

from bench.settings_option import settings_option
from cli.options import json_option, profile_option


@click.command(name="live")
@profile_option
@click.option(
    "--sessions",
    default="1,8",
    show_default=True,
    help="Numbers of sessions at once, one measurement each.",
)
@click.option(
    "--seconds", default=60, show_default=True, help="Audio of each session, in real time."
)
@settings_option(
    "A GLOSSA_* variable of the stack, such as GLOSSA_GATEWAY_JOURNAL_SYNCHRONOUS=normal."
)
@json_option
def command(
    profile: str, sessions: str, seconds: int, settings: dict[str, str], as_json: bool
) -> None:
    """Overhead of live captions for one and several sessions.

    Speakers send the sample sermon in real time to a stack of their own; a display follows all of
    them. Overhead is the lag of a final translation without the endpointing wait and without the
    time in the engines. An engine's time counts from the moment it is asked, so waiting behind
    other sessions for the same engine is engine time too; its share is shown.
    """
    import asyncio
    import json

    from bench.overhead import measure

    counts = [int(count) for count in sessions.split(",")]
    figures = asyncio.run(measure(profile, counts, seconds, settings))
    if as_json:
        click.echo(json.dumps(figures))
