"""What has been collected, as tables or as one JSON object."""

from __future__ import annotations

from typing import Any

import click

from cli.collector_client import Collector
from cli.training_line import (
    BANDS,
    CORRECTED,
    EXPORTED_BANDS,
    band_name,
    timestamp,
    training_object,
)

_NEWEST = 5


async def show(address: str, session_id: str, as_json: bool) -> None:
    async with Collector(address) as collector:
        stats = await collector.stats(session_id)
        newest = [pair async for pair in collector.pairs(BANDS, session_id, _NEWEST)]
    if as_json:
        import json

        click.echo(json.dumps(_as_object(stats, newest), ensure_ascii=False))
    else:
        _print_tables(stats, newest, session_id)


def _as_object(stats: Any, newest: list[Any]) -> dict[str, Any]:
    counts = {band_name(count.band): count for count in stats.counts}
    return {
        "journal_id": stats.journal_id,
        "cursor_sequence": stats.cursor_sequence,
        "pairs": {band: count.pair_count for band, count in counts.items()},
        "queue_lengths": {band: counts[band].queue_length for band in EXPORTED_BANDS},
        "open_review_count": stats.open_review_count,
        "queue_risks": list(stats.queue_risks),
        "exclusions": {item.reason: item.pair_count for item in stats.exclusions},
        "notes": list(stats.notes),
        "newest": [training_object(pair) for pair in newest],
    }


def _print_tables(stats: Any, newest: list[Any], session_id: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    title = f"Pairs of session {session_id}" if session_id else "Pairs"
    table = Table(title=title, title_justify="left")
    table.add_column("band")
    table.add_column("collected", justify="right")
    table.add_column("share", justify="right")
    table.add_column("in Redis", justify="right")
    counts = {band_name(count.band): count for count in stats.counts}
    # What people decided about is counted in the band that it was put in, too.
    total = sum(count.pair_count for band, count in counts.items() if band != CORRECTED)
    for band, count in counts.items():
        table.add_row(
            band,
            str(count.pair_count),
            f"{count.pair_count / total:.0%}" if total and band != CORRECTED else "",
            str(count.queue_length) if band in EXPORTED_BANDS else "",
        )
    console.print(table)
    if stats.open_review_count:
        waiting = "pair waits" if stats.open_review_count == 1 else "pairs wait"
        verb = f"./glossa review --session {session_id}" if session_id else "./glossa review"
        console.print(
            Text(f"{stats.open_review_count} {waiting} for a person: `{verb}`"), soft_wrap=True
        )
    for risk in stats.queue_risks:
        console.print(Text(risk, style="bold red"))
    console.print(
        f"journal {stats.journal_id or 'not seen yet'}, up to event {stats.cursor_sequence}",
        style="dim",
    )
    for note in stats.notes:
        console.print(Text(note, style="yellow"))
    if stats.exclusions:
        table = Table(title="Excluded", title_justify="left")
        table.add_column("reason")
        table.add_column("pairs", justify="right")
        for item in stats.exclusions:
            table.add_row(item.reason, str(item.pair_count))
        console.print(table)
    if newest:
        table = Table(title="Newest", title_justify="left")
        for heading in ("time (UTC)", "band", "score", "source", "target"):
            table.add_column(heading)
        for pair in newest:
            table.add_row(
                timestamp(pair)[:19].replace("T", " "),
                band_name(pair.band),
                f"{pair.quality_score:.2f}",
                Text(pair.source_text),  # as text: what was said is no markup
                Text(pair.target_text),
            )
        console.print(table)
    elif not total and session_id:
        console.print("Nothing is collected of this session: `./glossa report` lists sessions.")
    elif not total:
        console.print("Nothing has been collected yet: `./glossa demo` feeds a passage.")
