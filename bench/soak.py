"""`./glossa bench soak`: hours of audio through a stack, its memory and its losses."""

from __future__ import annotations

import click

from cli.options import json_option, profile_option


@click.command(name="soak")
@profile_option
@click.option("--audio-minutes", default=60, show_default=True, help="Audio to feed.")
@json_option
@click.pass_context
def command(context: click.Context, profile: str, audio_minutes: int, as_json: bool) -> None:
    """Feed an hour of audio as fast as the stack takes it.

    The memory of each service (with the processes it started) is taken every few seconds. It must
    stay within 10 % of what it was after five minutes of audio, beside what is kept on purpose
    (pairs in Redis, captions for displays that join late); every final must be in the journal,
    translated, shown and judged by the collector. Exit status 1 otherwise.
    """
    import asyncio
    import json

    from bench.endurance import measure

    result = asyncio.run(measure(profile, audio_minutes))
    if as_json:
        click.echo(json.dumps(result))
    if result["failures"]:
        context.exit(1)
