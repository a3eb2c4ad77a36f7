"""`./glossa chaos`: breaks a real stack in every way we know, and counts what that costs."""

from __future__ import annotations

import click

from cli.options import json_option


@click.command(name="chaos")
@click.option("--short", is_flag=True, help="Every fault once, without the soak.")
@click.option("--seed", default=1, show_default=True, help="Chooses the moments of the faults.")
@click.option("--only", multiple=True, metavar="NAME", help="This fault alone; several times more.")
@click.option("--hours", default=4.0, show_default=True, help="Audio of the long form's soak.")
@click.option(
    "--list", "as_list", is_flag=True, help="Name the faults and end; with --short, those of it."
)
@json_option
@click.pass_context
def command(
    context: click.Context,
    short: bool,
    seed: int,
    only: tuple[str, ...],
    hours: float,
    as_list: bool,
    as_json: bool,
) -> None:
    """Kill, freeze, starve and cut off the services of a stack while a sermon is preached.

    The stack is one of its own: real processes, real engines, ports and a folder that are gone
    afterwards. Every final is named by its session and sequence, so that "nothing lost" compares
    sets: the journal, two displays that come back by themselves, and Redis. Exit status 1 when
    anything was lost, came twice, or did not come back at all.
    """
    import asyncio
    import json

    from bench.chaos.faults.catalogue import long_form, short_form
    from bench.chaos.run import run
    from bench.chaos.verdict import as_json as figures

    faults = short_form() if short else long_form(hours)
    names = [fault.name for fault in faults]
    if unknown := sorted(set(only) - set(names)):
        raise click.BadParameter(
            f"there is no {', '.join(unknown)}; there is {', '.join(names)}", param_hint="--only"
        )
    if only:
        faults = [fault for fault in faults if fault.name in only]
    if as_list:
        for fault in faults:
            click.echo(f"{fault.name:<20} {fault.summary}")
        return
    verdicts = asyncio.run(run(faults, seed))
    if as_json:
        click.echo(json.dumps(figures(verdicts, seed)))
    if not all(verdict.is_good for verdict in verdicts):
        context.exit(1)
