"""The table of a bench: a line a figure, a column for each thing that was measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Cell = Callable[[dict[str, Any]], str]


def print_side_by_side(
    title: str, lines: Mapping[str, Cell], measured: Mapping[str, dict[str, Any]]
) -> None:
    """Prints to stderr; figures that nobody has are left out, flags and errors follow below."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    table = Table(title=title)
    table.add_column("")
    for name in measured:
        table.add_column(_short(name), justify="right", overflow="fold")
    for heading, cell in lines.items():
        cells = [cell(figures) for figures in measured.values()]
        if any(text.strip("- /") for text in cells):
            table.add_row(heading, *cells)
    console.print(table)
    for name, figures in measured.items():
        for counted in ("flags", "suppressed", "errors"):
            if figures.get(counted):
                listed = ", ".join(f"{key} {count}" for key, count in figures[counted].items())
                console.print(f"{name}: {counted}: {listed}")


def _short(spec: str) -> str:
    """gguf:/long/way/to/model.gguf as gguf:model.gguf"""
    runtime, colon, model = spec.partition(":")
    return f"{runtime}{colon}{Path(model).name}"


def figure(name: str) -> Cell:
    """A cell that shows a plain figure, "-" when there is none."""

    def cell(figures: dict[str, Any]) -> str:
        value = figures.get(name)
        return "-" if value is None else str(value)

    return cell
