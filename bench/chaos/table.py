"""The one table that `./glossa chaos` prints."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from bench.chaos.verdict import Verdict

_HEADINGS = (
    *("fault", "times", "finals", "lost", "pairs", "lost", "twice"),
    *("noticed", "back", "late by"),
)


def show(verdicts: Sequence[Verdict], console: Console) -> None:
    """Prints the table and, below it, what there is to say of each fault."""
    table = Table(title="Faults: what was lost, what came twice, and how soon all was back")
    for number, heading in enumerate((*_HEADINGS, "")):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for verdict in verdicts:
        table.add_row(*_row(verdict))
    console.print(table)
    for verdict in verdicts:
        for line in _lines(verdict):
            console.print(f"{verdict.fault}: {line}", highlight=False, markup=False)


def _row(verdict: Verdict) -> tuple[str, ...]:
    if verdict.skipped:
        return (verdict.fault, *[""] * (len(_HEADINGS) - 1), "skipped")
    losses = verdict.losses
    return (
        verdict.fault,
        str(verdict.times),
        str(losses.finals),
        str(losses.finals_lost),
        str(losses.pairs),
        str(losses.pairs_lost),
        str(losses.finals_doubled + losses.pairs_doubled),
        _seconds(verdict.noticed_s),
        _seconds(verdict.recovery_s),
        _seconds(losses.late_s),
        "good" if verdict.is_good else "FAILED",
    )


def _lines(verdict: Verdict) -> list[str]:
    if verdict.skipped:
        return [f"skipped: {verdict.skipped}"]
    return [
        *(f"LOST: {line}" for line in verdict.losses.lost),
        *(f"FAILED: {line}" for line in verdict.failures),
        *(
            f"over its limit: {each.what} after {each.took_s:.1f} s, promised {each.limit_s:.1f} s"
            for each in verdict.over_limit
        ),
        *verdict.seen,
    ]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
