"""`./glossa review --list`: what waits for a person."""

from __future__ import annotations

import json
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.review_client import ReviewClient
from cli.review_screen import clean, progress_line, reason_names
from cli.training_line import training_object


def show_list(client: ReviewClient, session_id: str, limit: int, as_json: bool) -> None:
    """Prints the most urgent pairs."""
    answer = client.list(session_id, limit)
    if as_json:
        click.echo(json.dumps(_as_object(answer), ensure_ascii=False))
        return
    console = Console()
    if answer.items:
        table = Table(title="Waits for review", title_justify="left")
        table.add_column("pair", overflow="fold")  # whole: it is what one goes on with
        for heading in ("score", "why", "source", "target"):
            table.add_column(heading)
        for item in answer.items:
            pair = item.pair
            table.add_row(
                Text(clean(pair.pair_id)),
                f"{pair.quality_score:.2f}",
                Text(clean(reason_names(item.reasons))),
                Text(clean(pair.source_text)),
                Text(clean(pair.target_text)),
            )
        console.print(table)
    else:
        console.print("Nothing waits for review.")
    console.print(progress_line(answer.progress), style="dim")


def _as_object(answer: Any) -> dict[str, Any]:
    progress = answer.progress
    return {
        "open": progress.open_count,
        "leased": progress.leased_count,
        "reviewed": progress.reviewed_count,
        "items": [
            {
                "priority": item.priority,
                "reasons": list(item.reasons),
                "has_audio": item.has_audio,
                **training_object(item.pair),
            }
            for item in answer.items
        ],
    }
