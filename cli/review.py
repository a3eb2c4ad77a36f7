"""`./glossa review`: put doubtful pairs right, in the terminal. One file a verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.collector_client import collector_address, collector_option
from cli.options import json_option
from cli.review_name import reviewer_option
from cli.verbs import LazyGroup, Verb

if TYPE_CHECKING:
    from cli.review_client import ReviewClient
DECISIONS = ("accepted", "fixed", "rejected", "skipped", "undone")
VERBS = {
    "suggestions": Verb(
        "cli.review_suggestions", "suggestions", "Words that people put right, as a list for stt."
    ),
    "export": Verb("cli.review_export", "export", "Write what waits as Label Studio tasks."),
    "import": Verb("cli.review_import", "import_", "Take Label Studio's annotations as decisions."),
}


@click.group(cls=LazyGroup, verbs=VERBS, invoke_without_command=True)
@collector_option
@reviewer_option
@click.option("--session", default="", metavar="ID", help="Review one session only.")
@click.option("--list", "only_list", is_flag=True, help="Print what waits, and end.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1000),
    default=50,
    show_default=True,
    help="List at most this many.",
)
@json_option
@click.pass_context
def review(
    context: click.Context,
    collector: str | None,
    reviewer: str,
    session: str,
    only_list: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Look at the most doubtful pairs first, and put them right.

    Each pair is yours alone while you have it open; several people may review at once. What you
    decide is in the journal at once: displays show a changed text while the session is still on,
    and the pair becomes training data.

    \b
    a  accept: both texts are right as they stand (changed ones, too)
    e  edit the translation          o  edit the original
    r  reject: never train on it     s  skip it for now
    z  take your changes back        u  undo your last decision
    p  play its audio                q  quit; the pair that is open goes back

    \b
    ./glossa review
    ./glossa review --session 20261122-100000-1a2b3c4d --reviewer "Ana"
    ./glossa review --list --json
    """
    context.obj = collector, session
    if context.invoked_subcommand is not None:
        return
    from cli.review_client import ReviewClient
    from cli.signals import sentence
    from services.errors import GlossaError

    try:
        with ReviewClient(collector_address(collector)) as client:
            if only_list:
                from cli.review_list import show_list

                show_list(client, session, limit, as_json)
            else:
                _sit(client, reviewer, session, as_json)
    except GlossaError as error:
        raise click.ClickException(sentence(error)) from error


def _sit(client: ReviewClient, reviewer: str, session_id: str, as_json: bool) -> None:
    """Reviews until the person leaves; what they did is told however they leave."""
    import contextlib
    import json

    from cli.review_terminal import TerminalReview

    sitting = TerminalReview(client, reviewer, session_id)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            sitting.run()
    finally:
        done = {name: sitting.done[name] for name in DECISIONS}
        if as_json:
            click.echo(json.dumps(done))
        else:
            click.echo(", ".join(f"{count} {name}" for name, count in done.items()), err=True)
