"""An evaluation as one HTML file that needs nothing else: no script, no request, all escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from training.evaluation.shown import MEASURES, interval, shown, verdict

_TEMPLATE = Path(__file__).with_name("evaluation.html.jinja")


def page(evaluation: dict[str, Any]) -> str:
    """The HTML of an evaluation, as `training.evaluate` puts it together."""
    from training.evaluation.plots import plots

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["megabytes"] = lambda size: "–" if size is None else f"{size / 1e6:.1f} MB"
    environment.filters["ms"] = lambda value: "–" if value is None else f"{value:.1f}"
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    drawn = plots(evaluation["translation"]) if "translation" in evaluation else {}
    return template.render(
        evaluation=evaluation,
        has_old="old" in evaluation["systems"],
        names=MEASURES,
        shown=shown,
        interval=interval,
        verdict=verdict,
        # matplotlib escapes the texts in its pictures.
        plots={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704
    )
