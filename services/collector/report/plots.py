"""The plots of a report, as SVG elements to be put into a page."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import matplotlib

matplotlib.use("svg")
# Text stays text: it can be read aloud and found. The same figures give the same picture.
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["svg.hashsalt"] = "glossa"

from matplotlib.axes import Axes  # noqa: E402  after the backend is chosen
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import MaxNLocator  # noqa: E402

# Readable for people who do not tell red from green (Okabe and Ito 2008).
BAND_COLOURS = {
    "accept": "#009e73",
    "moderate": "#56b4e9",
    "review": "#e69f00",
    "reject": "#d55e00",
}
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_BINS = 20
_MOST_WPM = 600  # nobody reads faster
_IN_SECONDS_BELOW_MIN = 2.0
_LAG_PARTS = (
    "endpointing",
    "recognition",
    "translation",
    "source_caption",
    "target_caption",
    "score",
)


def plots(figures: dict[str, Any]) -> dict[str, str]:
    """SVG by name: "bands", "scores", "timeline", "lag", "reading"; without data none."""
    drawn = {
        "bands": _drawn(
            _bands, figures, height_in=1.0 + 0.5 * len(figures["pairs"]["by_language"])
        ),
        "scores": _drawn(_scores, figures, height_in=3.2),
        "timeline": _drawn(_timeline, figures, height_in=2.8),
        "lag": _drawn(_lag, figures, height_in=2.8),
        "reading": _drawn(_reading, figures, height_in=2.8),
    }
    return {name: svg for name, svg in drawn.items() if svg}


def _drawn(
    draw: Callable[[Axes, dict[str, Any]], bool], figures: dict[str, Any], height_in: float
) -> str:
    figure = Figure(figsize=(8.0, height_in), layout="constrained")
    if not draw(figure.subplots(), figures):
        return ""
    with io.StringIO() as file:
        # Without a date, so that the same session gives the same file.
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        text = file.getvalue()
    return text[text.index("<svg") :]


def _bands(axes: Axes, figures: dict[str, Any]) -> bool:
    languages = figures["pairs"]["by_language"]
    total = 0
    for row, counts in enumerate(languages.values()):
        left = 0
        for band, colour in BAND_COLOURS.items():
            count = counts["bands"][band]
            axes.barh(row, count, left=left, color=colour, label=band if row == 0 else None)
            if count:
                axes.text(left + count / 2, row, str(count), ha="center", va="center")
            left += count
        total += left
    axes.set_yticks(range(len(languages)), list(languages))
    axes.set_xlabel("pairs")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return total > 0


def _scores(axes: Axes, figures: dict[str, Any]) -> bool:
    names = [
        name
        for name in ("quality_score", "stt_confidence", "translation_qe", "marian_agreement")
        if name in figures["scores"]
    ]
    for name in names:
        values = figures["scores"][name]["values"]
        axes.hist(values, bins=_BINS, range=(0, 1), histtype="step", linewidth=1.6, label=name)
    axes.set_xlim(0, 1)
    axes.set_xlabel("score")
    axes.set_ylabel("pairs")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if names:
        axes.legend(frameon=False)
    return bool(names)


def _timeline(axes: Axes, figures: dict[str, Any]) -> bool:
    unit, per_minute = _unit(figures["timeline"])
    for band, colour in BAND_COLOURS.items():
        points = [point for point in figures["timeline"] if point["band"] == band]
        if points:
            axes.scatter(
                [point["minute"] * per_minute for point in points],
                [point["quality_score"] for point in points],
                s=12,
                color=colour,
                label=band,
            )
    axes.set_ylim(0, 1.02)
    axes.set_xlabel(f"{unit} of the session")
    axes.set_ylabel("composite score")
    if figures["timeline"]:
        axes.legend(ncols=4, frameon=False, loc="lower left")
    return bool(figures["timeline"])


def _unit(points: list[dict[str, Any]]) -> tuple[str, int]:
    """What the time of a plot is counted in, and how many of it a minute has."""
    last_minute = max((point["minute"] for point in points), default=0.0)
    return ("second", 60) if last_minute < _IN_SECONDS_BELOW_MIN else ("minute", 1)


def _reading(axes: Axes, figures: dict[str, Any]) -> bool:
    reading = figures["reading"]
    unit, per_minute = _unit(reading["timeline"])
    for language, colour in zip(reading["by_language"], itertools.cycle(_COLOURS), strict=False):
        points = [point for point in reading["timeline"] if point["language"] == language]
        if points:
            axes.scatter(
                [point["minute"] * per_minute for point in points],
                [min(point["wpm"], _MOST_WPM) for point in points],
                s=12,
                color=colour,
                label=language,
            )
    readable = reading["readable_wpm"]
    axes.axhline(readable, color="#999999", linewidth=1)
    at_left = axes.get_yaxis_transform()  # x of the axes, y of the data
    axes.text(0.005, readable, str(readable), va="bottom", color="#666666", transform=at_left)
    axes.set_xlim(left=0)
    axes.set_ylim(0, _MOST_WPM * 1.04)
    axes.set_xlabel(f"{unit} of the session")
    axes.set_ylabel(f"words a minute, {_MOST_WPM} at most")
    if reading["timeline"]:
        axes.legend(ncols=4, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return bool(reading["timeline"])


def _lag(axes: Axes, figures: dict[str, Any]) -> bool:
    lag = figures["lag_ms"]
    parts = [name for name in _LAG_PARTS if lag.get(name, {}).get("p50") is not None]
    for row, name in enumerate(parts):
        figure = lag[name]
        axes.plot([figure["p50"], figure["p99"]], [row, row], color="#999999", linewidth=2)
        for share, marker in (("p50", "o"), ("p95", "|"), ("p99", "x")):
            axes.plot(
                figure[share], row, marker, color="#0072b2", label=share if row == 0 else None
            )
    axes.set_yticks(range(len(parts)), [name.replace("_", " ") for name in parts])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel("milliseconds")
    if parts:
        axes.legend(ncols=3, frameon=False)
    return bool(parts)
