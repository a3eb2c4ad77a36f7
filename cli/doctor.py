"""`./glossa doctor`: what this machine has and lacks, a line each, with what to do."""

from __future__ import annotations

import click

from cli.finding import Finding
from cli.options import profile_option


def _mark(finding: Finding) -> str:
    if not finding.good:
        return click.style("FIX ", fg="red")
    return click.style("note", fg="yellow") if finding.advice else click.style("ok  ", fg="green")


@click.command()
@profile_option
@click.pass_context
def doctor(context: click.Context, profile: str) -> None:
    """Check this machine for a profile, and the running stack. Ends with what to do next.

    Exits with 1 when something needs doing.
    """
    from cli.checkup import examine
    from cli.options import was_given
    from cli.signals import run_until_signalled

    async def check() -> int:
        named = was_given(context, "profile") or profile != "embedded"
        findings, next_step = await examine(profile if named else None)
        for finding in findings:
            click.echo(f"{_mark(finding)} {finding}")
        click.echo(f"next {next_step}")
        return 0 if all(finding.good for finding in findings) else 1

    run_until_signalled(check(), signalled_status=130)
