"""python -m training.gate --evaluation var/evaluations/sunday

Says whether a new model may speak: holds an evaluation against the thresholds of gate.toml and
writes gate.json beside it. Exit status 0 when it may, 1 when it may not, 2 for wrong input.
"""

from __future__ import annotations

import getpass
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from services.errors import InvalidInput
from training.evaluate import EVALUATION, SCHEMA
from training.evaluation.judged import GATE, GATE_SCHEMA, is_export_or_source, judged_in
from training.evaluation.thresholds import PARTS, Outcome, outcomes, read_checks
from training.job import Job
from training.run_folder import fingerprint, write_json

THRESHOLDS = Path(__file__).with_name("gate.toml")


@click.command(cls=Job)
@click.option(
    "--evaluation",
    "path",
    type=click.Path(path_type=Path),
    required=True,
    help="The folder that training.evaluate wrote.",
)
@click.option(
    "--export",
    "export_folder",
    type=click.Path(path_type=Path),
    help="The folder that training.export wrote, to gate what quantisation lost.",
)
@click.option(
    "--thresholds",
    "thresholds_path",
    type=click.Path(path_type=Path),
    default=THRESHOLDS,
    show_default="training/gate.toml",
    help="What must hold.",
)
@click.option(
    "--needs",
    type=click.Choice(list(PARTS)),
    multiple=True,
    help="What must have been judged; else what was judged is gated. May be given several times.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file to write.  [default: gate.json beside]"
)
@click.option("--override", "why", help="Let a red gate pass, and say why; recorded.")
@click.option("--who", help="Who overrides.  [default: who runs this]")
def gate(
    path: Path,
    export_folder: Path | None,
    thresholds_path: Path,
    needs: tuple[str, ...],
    out: Path | None,
    why: str | None,
    who: str | None,
) -> None:
    """Says whether a new model may speak: green or red, and why.

    \b
    python -m training.gate --evaluation var/evaluations/sunday
    python -m training.gate --evaluation var/evaluations/sunday --export var/exports/en-es \\
        --override "the Bible set has the old spelling; read all of it, it is right"
    """
    if why is not None and not why.strip():
        raise InvalidInput(
            "NO_REASON", "--override wants a reason: what makes it right all the same"
        )
    file = path / EVALUATION if path.is_dir() else path
    figures = _read(file)
    if export_folder is not None:
        from training.evaluation.export_check import export_figures

        direction = figures["direction"]
        figures["export"] = export_figures(export_folder, direction["source"], direction["target"])
    judged = {part for part in PARTS if part in figures}
    found = outcomes(read_checks(thresholds_path), figures, judged | set(needs))
    if export_folder is not None:
        found.append(_is_this_export(figures, export_folder))
    is_green = bool(found) and all(outcome.passed for outcome in found)
    is_overridden = not is_green and why is not None

    _print(found)
    write_json(
        out or file.parent / GATE,
        {
            "schema": GATE_SCHEMA,
            "is_green": is_green,
            "may_deploy": is_green or is_overridden,
            "override": _override(why, who) if is_overridden else None,
            "evaluation": {"file": str(file), "sha256": fingerprint(file)},
            "judged": judged_in(figures),
            "export": None
            if export_folder is None
            else {"folder": str(export_folder), "sha256": fingerprint(export_folder)},
            "thresholds": {"file": str(thresholds_path), "sha256": fingerprint(thresholds_path)},
            "checks": [outcome.as_json() for outcome in found],
        },
    )
    click.echo(_said(found, is_green, why))
    sys.exit(0 if is_green or is_overridden else 1)


def _read(file: Path) -> dict[str, Any]:
    try:
        figures: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if figures["schema"] != SCHEMA:
            raise ValueError(f"its schema is {figures['schema']!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            "NO_EVALUATION", f"{file} is no evaluation ({error}); training.evaluate writes them"
        ) from error
    return figures


def _is_this_export(figures: dict[str, Any], export: Path) -> Outcome:
    """That the rest is about the export, too; no file of thresholds can leave it out."""
    is_it = is_export_or_source(judged_in(figures), export)
    says = "export: what was judged is this export with its engine, or what it was made of"
    return Outcome(says, "export.is_what_was_judged", float(is_it), "least", 1.0, is_it)


def _override(why: str | None, who: str | None) -> dict[str, str]:
    when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"why": str(why).strip(), "who": who or _user(), "when": when}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError) as error:  # in a container without names
        raise InvalidInput("NO_NAME", "name who overrides: --who NAME") from error


def _print(found: list[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for heading in ("", "check"):
        table.add_column(heading)
    for heading in ("value", "wanted"):
        table.add_column(heading, justify="right", no_wrap=True)
    for outcome in found:
        detail = f"\n[dim]{outcome.value}[/dim]" if not outcome.passed else ""
        table.add_row(
            "passed" if outcome.passed else "[bold]RED[/bold]",
            outcome.says + detail,
            "not measured" if outcome.found is None else f"{outcome.found:g}",
            outcome.wanted,
        )
    Console().print(table)


def _said(found: list[Outcome], is_green: bool, why: str | None) -> str:
    if is_green:
        return "green: the new model may speak"
    red = [outcome for outcome in found if not outcome.passed]
    reasons = [
        f"  {each.says}: "
        + ("not measured" if each.found is None else f"{each.found:g}, wanted {each.wanted}")
        + f" ({each.value})"
        for each in red
    ]
    head = "red: the new model stays where it is"
    if why is not None:
        head = f"red, and overridden: {why.strip()}"
    return "\n".join([head, *(reasons or ["  nothing was gated"])])


if __name__ == "__main__":
    gate()
