"""`./glossa status`: how what runs is, on one screen."""

from __future__ import annotations

import click

from cli.options import json_option

_INTERVAL_S = 2.0


@click.command()
@click.option("--watch", is_flag=True, help="Look again every two seconds, until Ctrl-C.")
@json_option
def status(watch: bool, as_json: bool) -> None:
    """Show how the services, sessions, queues and viewers are, of what runs on this machine.

    The stack of `./glossa up`, or that of docker compose on its usual ports. Times and failed calls
    count from each service's start.

    Exits with 0 when all is well, 1 when something is wrong (it says what), 2 when nothing runs.
    """
    import asyncio
    import json

    from rich.console import Console
    from rich.live import Live

    from cli.signals import run_until_signalled
    from cli.stack import running_stack
    from cli.stack_status import StackStatus, look
    from cli.status_screen import as_object, screen

    if watch and as_json:
        raise click.UsageError("--json is one look: leave --watch away")

    async def look_now() -> StackStatus:
        return await look(await asyncio.to_thread(running_stack))

    async def show() -> int:
        found = await look_now()
        if as_json:
            click.echo(json.dumps(as_object(found), ensure_ascii=False))
        else:
            Console(highlight=False, soft_wrap=True).print(screen(found))
        return 2 if not found.is_there else 1 if found.troubles else 0

    async def keep_showing() -> None:
        with Live(screen(await look_now()), auto_refresh=False, screen=True) as live:
            while True:
                await asyncio.sleep(_INTERVAL_S)
                live.update(screen(await look_now()), refresh=True)

    run_until_signalled(keep_showing() if watch else show())
