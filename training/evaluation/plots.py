"""The plots of an evaluation, as SVG elements to be put into a page."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib

matplotlib.use("svg")
# Text stays text: it can be read aloud and found. The same figures give the same picture.
matplotlib.rcParams["svg.fonttype"] = "none"
matplotlib.rcParams["svg.hashsalt"] = "glossa"

from matplotlib.axes import Axes  # noqa: E402  after the backend is chosen
from matplotlib.figure import Figure  # noqa: E402

# Readable for people who do not tell red from green (Okabe and Ito 2008).
_NEW, _OLD, _BETTER, _WORSE, _QUIET = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#999999"
_ROW_IN = 0.42


def plots(translation: dict[str, Any]) -> dict[str, str]:
    """SVG by name: "scores", "differences", "categories"; without data none."""
    rows = len(_set_variants(translation))
    drawn = {
        "scores": _drawn(_scores, translation, 1.0 + _ROW_IN * rows),
        "differences": _drawn(_differences, translation, 1.0 + _ROW_IN * rows),
        "categories": _drawn(
            _categories, translation, 1.0 + _ROW_IN * len(translation["term_categories"])
        ),
    }
    return {name: svg for name, svg in drawn.items() if svg}


def _drawn(
    draw: Callable[[Axes, dict[str, Any]], bool], translation: dict[str, Any], height_in: float
) -> str:
    figure = Figure(figsize=(8.0, height_in), layout="constrained")
    if not draw(figure.subplots(), translation):
        return ""
    with io.StringIO() as file:
        # Without a date, so that the same evaluation gives the same file.
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        text = file.getvalue()
    return text[text.index("<svg") :]


def _set_variants(translation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{name}{after}": figures[variant]["chrf"]
        for name, figures in translation["sets"].items()
        for variant, after in (("plain", ""), ("as_heard", ", as heard"))
        if variant in figures
    }


def _scores(axes: Axes, translation: dict[str, Any]) -> bool:
    found = _set_variants(translation)
    for row, figure in enumerate(found.values()):
        old = figure.get("old")
        if old is not None:
            axes.plot([old, figure["new"]], [row, row], color=_QUIET, linewidth=2, zorder=1)
            axes.scatter(old, row, color=_OLD, label="old" if row == 0 else None, zorder=2)
        axes.scatter(figure["new"], row, color=_NEW, label="new" if row == 0 else None, zorder=3)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xlabel("chrF++")
    axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return bool(found)


def _differences(axes: Axes, translation: dict[str, Any]) -> bool:
    found = {
        name: figure
        for name, figure in _set_variants(translation).items()
        if figure.get("low") is not None
    }
    for row, figure in enumerate(found.values()):
        low, high = figure["low"], figure["high"]
        colour = _BETTER if low > 0 else _WORSE if high < 0 else _QUIET
        axes.plot([low, high], [row, row], color=colour, linewidth=3, solid_capstyle="butt")
        axes.scatter(figure["difference"], row, color=colour, zorder=2)
    axes.axvline(0, color=_QUIET, linewidth=1)
    axes.set_yticks(range(len(found)), list(found))
    axes.invert_yaxis()
    axes.set_xlabel("difference in chrF++, new against old, with its 95 % interval")
    return bool(found)


def _categories(axes: Axes, translation: dict[str, Any]) -> bool:
    found = translation["term_categories"]
    for row, figure in enumerate(found.values()):
        if figure["old"] is not None:
            axes.barh(
                row + 0.2, figure["old"], height=0.36, color=_OLD, label="old" if row == 0 else None
            )
        axes.barh(
            row - 0.2, figure["new"], height=0.36, color=_NEW, label="new" if row == 0 else None
        )
    axes.set_yticks(
        range(len(found)), [f"{name} ({figure['wanted']})" for name, figure in found.items()]
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the glossary's terms that are in the translation")
    if found:
        axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return bool(found)
