"""An evaluation's figures on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from training.evaluation.shown import MEASURES, interval, several_spoke, shown, verdict

_FIRST = ("chrf", "bleu", "comet", "terms", "numbers", "references", "names")
_VARIANTS = {"plain": "", "as_heard": ", as heard"}


def print_tables(evaluation: dict[str, Any]) -> None:
    console = Console()
    if "translation" in evaluation:
        console.print(_translation(evaluation["translation"]))
        if several_spoke(evaluation["translation"]):
            console.print(_voices(evaluation["translation"]))
        console.print(_systems(evaluation))
    if "recognition" in evaluation:
        table = _table("recognition")
        for name, figures in evaluation["recognition"]["sets"].items():
            _add(table, name, figures, ("wer", "cer"))
        console.print(table)


def _translation(translation: dict[str, Any]) -> Table:
    table = _table("translation")
    for name, figures in translation["sets"].items():
        for variant, after in _VARIANTS.items():
            if variant in figures:
                _add(table, f"{name}{after}", figures[variant], _FIRST)
    return table


def _table(title: str) -> Table:
    table = Table(title=title)
    for heading in ("set", "measure"):
        table.add_column(heading)
    for heading in ("new", "old", "difference (95 %)"):
        table.add_column(heading, justify="right")
    table.add_column("")
    return table


def _add(table: Table, name: str, figures: dict[str, Any], measures: tuple[str, ...]) -> None:
    for measure in measures:
        if (figure := figures.get(measure)) and figure["new"] is not None:
            table.add_row(
                name,
                MEASURES[measure],
                shown(measure, figure["new"]),
                shown(measure, figure.get("old")),
                interval(measure, figure),
                verdict(measure, figure),
            )
            name = ""
    table.add_section()


def _voices(translation: dict[str, Any]) -> Table:
    table = Table(title="which model spoke")
    for heading in ("set", "", "model"):
        table.add_column(heading, overflow="fold")
    table.add_column("sentences", justify="right")
    for name, figures in translation["sets"].items():
        for variant, after in _VARIANTS.items():
            for which, voices in figures.get(variant, {}).get("voices", {}).items():
                for voice, share in (voices or {}).items():
                    table.add_row(f"{name}{after}", which, voice, f"{share:.1%}")
    return table


def _systems(evaluation: dict[str, Any]) -> Table:
    table = Table(title="models")
    table.add_column("")
    table.add_column("model", overflow="fold")
    for heading in ("size, MB", "draft, ms", "p95", "final, ms", "p95", "edge cases"):
        table.add_column(heading, justify="right")
    for name in ("new", "old"):
        if name not in evaluation["systems"]:
            continue
        system = evaluation["systems"][name]
        speed = evaluation["latency"][name]
        cases = evaluation["edge_cases"]["cases"]
        passed = sum(not case[name]["broken"] for case in cases)
        table.add_row(
            name,
            system["model"],
            "–" if system["size_bytes"] is None else f"{system['size_bytes'] / 1e6:.1f}",
            *(
                "–" if speed[kind][share] is None else f"{speed[kind][share]:.1f}"
                for kind in ("draft", "final")
                for share in ("median_ms", "p95_ms")
            ),
            f"{passed} of {len(cases)}",
        )
    return table
