"""The figure of `./glossa queue calibrate`: reliability, and what each threshold would accept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from services.collector.acceptance import LEAST_WANTED, MOST_WANTED
from services.collector.calibration_findings import Findings
from services.collector.calibration_fit import Reliability


def draw(findings: Findings, path: Path) -> None:
    """Writes the figure in the format of the file's ending.

    Raises:
        OSError: the file cannot be written.
    """
    import matplotlib

    # A recogniser's name is no formula; a fixed salt gives the same findings the same file.
    with matplotlib.rc_context({"text.parse_math": False, "svg.hashsalt": "glossa"}):
        _figure(findings).savefig(path, metadata=_undated(path))


def _figure(findings: Findings) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.5), layout="constrained")
    confidence, composite, threshold = figure.subplots(1, 3)
    _diagonal(confidence, "Recogniser's confidence", "share of right texts")
    for fit in findings.recognisers:
        line = _reliability(confidence, fit.before, f"{fit.stt_model}, as it is", "o--")
        colour = line.get_color() if line is not None else None
        _reliability(confidence, fit.after, f"{fit.stt_model}, fitted (held out)", "s-", colour)
    _diagonal(composite, "Composite score", "share of good pairs")
    _reliability(composite, findings.composite_before, "as it is", "o--")
    _reliability(composite, findings.composite_after, "with fitted confidence (held out)", "s-")
    _thresholds(threshold, findings)
    for axes in (confidence, composite, threshold):
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    return figure


def _undated(path: Path) -> dict[str, None]:
    return {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower(), {})


def _diagonal(axes: Any, title: str, measured: str) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.set(title=title, xlabel="predicted", ylabel=measured, xlim=(0, 1), ylim=(0, 1))


def _reliability(
    axes: Any, reliability: Reliability | None, label: str, style: str, colour: Any = None
) -> Any:
    if reliability is None:
        return None
    (line,) = axes.plot(
        [group.predicted for group in reliability.bins],
        [group.right for group in reliability.bins],
        style,
        color=colour,
        markersize=4,
        label=f"{label}: ECE {reliability.ece:.3f}",
    )
    return line


def _thresholds(axes: Any, findings: Findings) -> None:
    known = [(at, figures) for at, figures in findings.accepted if figures.precision.pair_count]
    at = [threshold for threshold, _ in known]
    axes.set(title="Accepted by threshold", xlabel="accept threshold", xlim=(0, 1), ylim=(0, 1))
    axes.axhspan(LEAST_WANTED, MOST_WANTED, color="tab:orange", alpha=0.12)
    axes.plot(at, [figures.share for _, figures in known], color="tab:orange", label="share")
    axes.plot(
        at,
        [figures.precision.share for _, figures in known],
        color="tab:blue",
        label="precision, 95 % interval",
    )
    axes.fill_between(
        at,
        [figures.precision.low for _, figures in known],
        [figures.precision.high for _, figures in known],
        color="tab:blue",
        alpha=0.2,
        linewidth=0,
    )
    axes.axhline(findings.aims.accept, color="tab:blue", linewidth=1, linestyle=":")
    axes.axvline(
        findings.now.thresholds.accept, color="0.5", linewidth=1, linestyle="--", label="now"
    )
    proposed = findings.calibration.thresholds if findings.calibration is not None else None
    if proposed is not None:
        axes.axvline(proposed.accept, color="k", linewidth=1, label="proposed")
