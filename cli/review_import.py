"""`./glossa review import`: Label Studio's annotations as decisions."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.collector_client import collector_address, collector_option
from cli.options import json_option
from cli.review_client import ReviewClient
from cli.review_name import reviewer_option

if TYPE_CHECKING:
    from services.collector.label_studio import Annotation

# What becomes of an annotation that is no decision, by the collector's reason.
_OUTCOMES = {
    "ALREADY_REVIEWED": "already_reviewed",
    "LEASED": "leased",
    "UNKNOWN_PAIR": "unknown",
    "UNKNOWN_SESSION": "unknown",
    "INVALID_DECISION": "changed_since",
    "TEXT_TOO_LONG": "malformed",
}
_EXPLANATIONS = {
    "already_reviewed": "a person has decided about it already; left as it is",
    "leased": "somebody has it open; import again when they are done",
    "unknown": "it waits for no review: its session was deleted, or it is another journal's",
    "changed_since": "its texts were changed since the export; review it again",
}
_NEEDS_NO_ATTENTION = frozenset({"accepted", "fixed", "rejected", "already_reviewed"})


@click.command(name="import")
@collector_option
@click.argument("annotations", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@reviewer_option
@click.option("--check", is_flag=True, help="Say what would be done, and do nothing.")
@json_option
@click.pass_context
def import_(
    context: click.Context,
    collector: str | None,
    annotations: Path,
    reviewer: str,
    check: bool,
    as_json: bool,
) -> None:
    """Take ANNOTATIONS, a JSON export of Label Studio, as decisions.

    What somebody has decided already stays as it is, and what somebody has open is left to them:
    both are named. The same file may be imported again.

    \b
    ./glossa review import annotations.json --check
    ./glossa review import annotations.json --reviewer "Ana"
    """
    from cli.signals import sentence
    from services.collector.label_studio import Malformed, read
    from services.errors import GlossaError

    group_collector, _ = context.obj
    outcomes: Counter[str] = Counter()
    problems = []
    try:
        entries = list(read(json.loads(annotations.read_text(encoding="utf-8"))))
    except (OSError, ValueError, RecursionError) as error:
        raise click.ClickException(f"cannot read {annotations}: {error}") from error
    try:
        with ReviewClient(collector_address(collector or group_collector)) as client:
            for entry in entries:
                if isinstance(entry, Malformed):
                    outcome, problem = "malformed", entry.problem
                else:
                    outcome = _import(client, entry, f"{reviewer} (Label Studio)", check)
                    problem = _EXPLANATIONS.get(outcome, "")
                outcomes[outcome] += 1
                if problem:
                    problems.append({"task": entry.task, "outcome": outcome, "problem": problem})
    except GlossaError as error:
        decided = sum(outcomes[name] for name in ("accepted", "fixed", "rejected"))
        raise click.ClickException(
            f"{sentence(error)}; {decided} decisions are in, import the same file "
            "again for the rest"
        ) from error
    _tell(outcomes, problems, check, as_json)
    if not outcomes.keys() <= _NEEDS_NO_ATTENTION:
        raise SystemExit(1)


def _import(client: ReviewClient, annotation: Annotation, reviewer: str, check: bool) -> str:
    """What became of an annotation, by name.

    Raises:
        GlossaError: the collector or the gateway is away.
    """
    from services.collector.pair_message import DECISION_NUMBERS
    from services.errors import GlossaError

    lease_id = ""
    try:
        lease_id = client.lease(reviewer, pair_id=annotation.pair_id).item.lease_id
        if not check:
            decision = DECISION_NUMBERS[annotation.decision]
            client.submit(
                lease_id,
                decision,
                annotation.source_text,
                annotation.target_text,
                shown_source_text=annotation.shown_source_text,
                shown_target_text=annotation.shown_target_text,
            )
            return annotation.decision.value
    except GlossaError as error:
        if error.reason not in _OUTCOMES:
            raise
        return _OUTCOMES[error.reason]
    finally:
        _give_back(client, lease_id)
    return annotation.decision.value


def _give_back(client: ReviewClient, lease_id: str) -> None:
    """A pair that was decided is nobody's any more, and one of a collector that is away expires."""
    import contextlib

    from services.errors import GlossaError

    if lease_id:
        with contextlib.suppress(GlossaError):
            client.release(lease_id)


def _tell(
    outcomes: Counter[str], problems: list[dict[str, str]], check: bool, as_json: bool
) -> None:
    if as_json:
        answer: dict[str, Any] = {"checked_only": check, "outcomes": dict(outcomes)}
        click.echo(json.dumps({**answer, "problems": problems}, ensure_ascii=False))
        return
    for problem in problems:
        click.echo(f"{problem['task']}: {problem['problem']}", err=True)
    if not outcomes:
        click.echo("no task in this file was annotated", err=True)
        return
    counted = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in outcomes.items())
    click.echo(f"{'would be: ' if check else ''}{counted}", err=True)
