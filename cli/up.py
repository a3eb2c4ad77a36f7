"""`./glossa up`: every service under one supervisor, until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import port_base_option, profile_option, state_dir_option


@click.command()
@profile_option
@state_dir_option
@port_base_option
@click.option(
    "--lan",
    "is_lan",
    is_flag=True,
    help="Let phones and screens in this network open the pages (not encrypted without certs).",
)
@click.option(
    "--qr/--no-qr", "shows_code", default=True, help="Print the phones' link as a QR code."
)
def up(
    profile: str, state_dir: Path | None, port_base: int | None, is_lan: bool, shows_code: bool
) -> None:
    """Keep every service running until Ctrl-C.

    One child process a service and one for Redis (unless GLOSSA_COLLECTOR_REDIS_URL names another),
    started again when it dies. Logs lie in <state dir>/logs.

    \b
    For a service on Sunday, with phones in the same Wi-Fi:
        ./glossa up --profile cpu --lan

    Without --lan only this machine opens the pages. With it the captions' web port is open to the
    network and no other one is; operators need the link that is printed, whose token lies in
    <state dir>/captions/operator.token.
    """
    import asyncio
    import sys

    from cli import stack, systemd
    from cli.lan import open_to_lan, page_links, qr_text, report_links, with_page_tokens
    from cli.screen import StackScreen
    from cli.signals import run_until_signalled
    from cli.supervisor import Supervisor
    from services.settings import PORT_BASE

    async def keep_up() -> None:
        plan = stack.plan(profile, state_dir or stack.DEFAULT_STATE_DIR, port_base or PORT_BASE)
        if is_lan:
            plan = open_to_lan(plan)
        elif plan.environment.get("GLOSSA_TOKENS_FILE"):
            plan = with_page_tokens(plan)
        links = page_links(plan, is_lan=is_lan)
        if systemd.is_journal(sys.stderr):
            links = links.without_tokens()
        screen = StackScreen()
        supervisor = Supervisor(plan, screen.report)
        with screen.watching(supervisor):
            async with supervisor.running():
                report_links(links, screen.report, is_lan=is_lan)
                screen.report(f"review   {plan.review_url}")
                screen.report(f"gateway  {plan.address('gateway')}")
                if is_lan and shows_code:
                    screen.show_code(qr_text(links.phone))
                screen.report("Ctrl-C stops everything")
                systemd.notify("READY=1")
                await asyncio.Event().wait()

    run_until_signalled(keep_up())
