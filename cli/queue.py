"""`./glossa queue`: what has been collected, and what is made of it. One file a verb."""

from __future__ import annotations

import click

from cli.collector_client import collector_address, collector_option, run
from cli.verbs import LazyGroup, Verb

VERBS = {
    "calibrate": Verb(
        "cli.queue_calibrate", "calibrate", "Propose thresholds from verified pairs."
    ),
    "export": Verb("cli.queue_export", "export", "Write pairs as JSON, one object a line."),
    "forget": Verb("cli.queue_forget", "forget", "Delete a session everywhere, and prove it."),
    "snapshot": Verb("cli.queue_snapshot", "snapshot", "Make a dataset for training."),
}


@click.group(cls=LazyGroup, verbs=VERBS, invoke_without_command=True)
@collector_option
@click.option("--session", default="", metavar="ID", help="Count one session only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object as the last line.")
@click.pass_context
def queue(context: click.Context, collector: str | None, session: str, as_json: bool) -> None:
    """Show the collected pairs, export them, make datasets of them.

    Every translated sentence is scored and put in one of four bands: accept (train on it), moderate
    (probably good), review (a person should look), reject (kept for the record). Corrected are
    those that a person decided about. Without a further word this shows how many there are, what
    waits for a person, and the newest.

    \b
    ./glossa queue
    ./glossa queue export --band accept --out sermon_pairs.jsonl
    ./glossa queue snapshot --audio
    """
    context.obj = collector, session
    if context.invoked_subcommand is None:
        from cli.queue_show import show

        run(show(collector_address(collector), session, as_json))
