"""The findings of `./glossa queue calibrate` as tables, and as one JSON object."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.collector.bands import BANDS, Band
from services.collector.calibration_findings import Findings
from services.collector.calibration_fit import Reliability
from services.collector.verified_sample import BandFigures, Precision


def show(findings: Findings) -> None:
    """Prints the tables."""
    from rich.console import Console

    console = Console()
    console.print(
        f"{findings.pair_count} verified pairs of {findings.session_count} sessions, "
        f"{findings.good_count} of them good"
        + (f"; {findings.collected_count} collected" if findings.collected_count else "")
    )
    console.print(_reliability_table(findings))
    console.print(_band_table(findings))
    unseen = findings.unseen
    if unseen.share is not None:
        console.print(
            f"Accepted in sessions that nothing was fitted on: {_precision(unseen)} good "
            f"({_interval(unseen)}, {unseen.pair_count} pairs)"
        )
    for fit in findings.recognisers:
        if fit.reason:
            console.print(
                f"{fit.stt_model}: {fit.reason}; its confidence stays as it is", highlight=False
            )
    for note in findings.notes:
        console.print(f"Note: {note}", style="yellow", markup=False, highlight=False)
    for warning in findings.warnings:
        console.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False)


def _reliability_table(findings: Findings) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="How far the figures can be trusted", title_justify="left")
    table.add_column("of", overflow="fold")
    for heading in ("pairs", "right", "ECE", "fitted", "Brier", "fitted"):  # fitted: held out
        table.add_column(heading, justify="right")
    table.add_column("used")
    for fit in findings.recognisers:
        table.add_row(
            Text(fit.stt_model or "(no name)"),
            str(fit.pair_count),
            f"{fit.right_count / fit.pair_count:.0%}",
            *_before_and_after(fit.before, fit.after),
            "fitted" if fit.map is not None else "as it is",
        )
    table.add_row(
        "composite",
        str(findings.pair_count),
        f"{findings.good_count / findings.pair_count:.0%}",
        *_before_and_after(findings.composite_before, findings.composite_after),
        "",
    )
    return table


def _before_and_after(before: Reliability | None, after: Reliability | None) -> list[str]:
    return [
        "" if reliability is None else f"{getattr(reliability, figure):.3f}"
        for figure in ("ece", "brier")
        for reliability in (before, after)
    ]


def _band_table(findings: Findings) -> Any:
    from rich.table import Table

    table = Table(title="Bands, now and as proposed", title_justify="left")
    table.add_column("band")
    for heading in ("threshold", "share", "verified", "good", "95 % interval"):
        table.add_column(heading, justify="right")
    adopted = findings.calibration.thresholds if findings.calibration is not None else None
    proposed = adopted or findings.now.thresholds
    for band in BANDS:
        table.add_row(
            band.value,
            _threshold(findings.now.thresholds, band),
            *_figures(findings.bands_now[band]),
            end_section=findings.bands_proposed is None,
        )
        if findings.bands_proposed is not None:
            table.add_row(
                "  proposed",
                _threshold(proposed, band),
                *_figures(findings.bands_proposed[band]),
                end_section=True,
                style="bold",
            )
    return table


def _threshold(thresholds: Any, band: Band) -> str:
    return "below" if band is Band.REJECT else f"{getattr(thresholds, band.value):.2f}"


def _figures(figures: BandFigures) -> list[str]:
    precision = figures.precision
    return [
        f"{figures.share:.0%}",
        str(precision.pair_count),
        _precision(precision),
        _interval(precision) if precision.pair_count else "",
    ]


def _precision(precision: Precision) -> str:
    return "" if precision.share is None else f"{precision.share:.1%}"


def _interval(precision: Precision) -> str:
    return f"{precision.low:.1%} to {precision.high:.1%}"


def as_object(findings: Findings) -> dict[str, Any]:
    """The same for a machine."""
    calibration = findings.calibration
    return {
        "pair_count": findings.pair_count,
        "good_count": findings.good_count,
        "session_count": findings.session_count,
        "collected_count": findings.collected_count,
        "recognisers": [
            {
                "stt_model": fit.stt_model,
                "pair_count": fit.pair_count,
                "right_count": fit.right_count,
                "before": _summary(fit.before),
                "after": _summary(fit.after),
                "is_adopted": fit.map is not None,
                "reason": fit.reason,
            }
            for fit in findings.recognisers
        ],
        "composite": {
            "before": _summary(findings.composite_before),
            "after": _summary(findings.composite_after),
        },
        "aims": asdict(findings.aims),
        "now": {
            "thresholds": asdict(findings.now.thresholds),
            "bands": _bands(findings.bands_now),
        },
        "proposed": (
            None
            if findings.bands_proposed is None or calibration is None
            else {
                "thresholds": asdict(calibration.thresholds) if calibration.thresholds else None,
                "bands": _bands(findings.bands_proposed),
            }
        ),
        "held_out": asdict(findings.unseen),
        "calibration": None if calibration is None else calibration.id,
        "notes": list(findings.notes),
        "warnings": list(findings.warnings),
    }


def _summary(reliability: Reliability | None) -> dict[str, float] | None:
    return None if reliability is None else {"ece": reliability.ece, "brier": reliability.brier}


def _bands(bands: dict[Band, BandFigures]) -> dict[str, Any]:
    return {band.value: asdict(figures) for band, figures in bands.items()}
