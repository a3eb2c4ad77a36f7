"""`./glossa doctor`: what this machine has and lacks, a line each, with what to do."""

from __future__ import annotations

import click


@click.command()
def doctor() -> None:
    """Check this machine and the running stack. Exits with 1 when something needs doing."""
    import asyncio

    from cli.checkup import examine

    findings = asyncio.run(examine())
    for finding in findings:
        mark = click.style("ok  ", fg="green") if finding.good else click.style("FIX ", fg="red")
        if finding.good and finding.advice:
            mark = click.style("note", fg="yellow")
        click.echo(f"{mark} {finding.subject}" + (f": {finding.advice}" if finding.advice else ""))
    raise SystemExit(0 if all(finding.good for finding in findings) else 1)
