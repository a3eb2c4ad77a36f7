"""How every job begins: its command line, and an error as one line that says what to do; and how
it ends when it is stopped.

@click.command(cls=Job)
def bible(...): ...

if __name__ == "__main__":
    bible()
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from services.errors import GlossaError, InvalidInput
from training.interruption import exit_status, terminated_as_interrupted

# Exit status where nothing went wrong, and nothing is to be done.
NOTHING_NEW = 3


class Job(click.Command):
    """A command whose GlossaError is a message and an exit status: 2 for wrong input, NOTHING_NEW
    for an error of that reason, else 1. Stopped by Ctrl-C or SIGTERM, it says so: 130 or 143."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("context_settings", {"show_default": True, "max_content_width": 100})
        super().__init__(*arguments, **options)

    def invoke(self, context: click.Context) -> Any:
        try:
            with terminated_as_interrupted():
                return super().invoke(context)
        except GlossaError as error:
            click.echo(f"{context.command.name}: {error}", err=True)
            if error.reason == "NOTHING_NEW":
                sys.exit(NOTHING_NEW)
            sys.exit(2 if isinstance(error, InvalidInput) else 1)
        except KeyboardInterrupt as interrupt:
            click.echo(f"{context.command.name}: stopped", err=True)
            sys.exit(exit_status(interrupt))


out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="A new folder for what comes out.",
)
seed_option = click.option("--seed", type=int, default=1, help="Of everything that is drawn.")
resume_option = click.option(
    "--resume", is_flag=True, help="Go on with the unfinished run in --out."
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The folder of public texts (docs/training.md).",
)
