"""What a mix is made of, by kind and origin: for the eye, and for the manifest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from training.rows import Row


def table(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows, words of both texts, and what share of the words and of the loss each origin has."""
    counted: dict[tuple[str, str, str], list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for row in rows:
        entry = counted[row.kind, row.origin, row.tag]
        target_words = len(row.target.split())
        entry[0] += 1
        entry[1] += len(row.source.split()) + target_words
        # A trainer's loss is a mean over the target's tokens, so words stand for what counts.
        entry[2] += row.weight * target_words
    all_words = sum(entry[1] for entry in counted.values()) or 1
    all_weight = sum(entry[2] for entry in counted.values()) or 1
    return [
        {
            "kind": kind,
            "origin": origin,
            "tag": tag,
            "rows": int(entry[0]),
            "words": int(entry[1]),
            "word_share": round(entry[1] / all_words, 4),
            "loss_share": round(entry[2] / all_weight, 4),
        }
        for (kind, origin, tag), entry in sorted(counted.items())
    ]


def print_table(rows: Iterable[Row]) -> None:
    shown = Table("kind", "origin", "tag")
    for name in ("rows", "words", "of the words", "of the loss"):
        shown.add_column(name, justify="right")
    entries = table(rows)
    for entry in entries:
        shown.add_row(
            entry["kind"],
            entry["origin"],
            entry["tag"],
            f"{entry['rows']:,}",
            f"{entry['words']:,}",
            f"{entry['word_share']:.1%}",
            f"{entry['loss_share']:.1%}",
        )
    shown.add_section()
    row_count, word_count = (sum(entry[name] for entry in entries) for name in ("rows", "words"))
    shown.add_row("all", "", "", f"{row_count:,}", f"{word_count:,}", "", "")
    Console().print(shown)
