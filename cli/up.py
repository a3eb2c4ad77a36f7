"""`./glossa up`: every service under one supervisor, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import port_base_option, profile_option, state_dir_option


@click.command()
@profile_option
@state_dir_option
@port_base_option
def up(profile: str, state_dir: Path | None, port_base: int | None) -> None:
    """Keep every service running until Ctrl-C.

    One child process a service and one for Redis (unless GLOSSA_COLLECTOR_REDIS_URL names another),
    started again when it dies. Logs lie in <state dir>/logs.
    """
    import asyncio

    from cli import stack
    from cli.screen import StackScreen
    from cli.signals import run_until_signalled
    from cli.supervisor import Supervisor
    from services.settings import PORT_BASE

    async def keep_up() -> None:
        plan = stack.plan(profile, state_dir or stack.DEFAULT_STATE_DIR, port_base or PORT_BASE)
        screen = StackScreen()
        supervisor = Supervisor(plan, screen.report)
        with screen.watching(supervisor):
            async with supervisor.running():
                screen.report(f"page     {plan.page_url}")
                screen.report(f"review   {plan.review_url}")
                screen.report(f"gateway  {plan.address('gateway')}")
                screen.report("Ctrl-C stops everything")
                await asyncio.Event().wait()

    run_until_signalled(keep_up())
