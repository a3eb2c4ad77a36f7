"""A report as one HTML file that needs nothing else: no script, no request, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

_TEMPLATE = Path(__file__).with_name("report.html.jinja")


def page(figures: dict[str, Any], plots: dict[str, str]) -> str:
    """The HTML of a report.

    Args:
        figures: as `figures.figures` gives them.
        plots: SVG elements by name, made by us alone: they are put in as they are.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters["clock"] = _clock
    environment.filters["day"] = _day
    environment.filters["count"] = _count
    environment.filters["decided"] = _decided
    environment.filters["figure"] = lambda value: "–" if value is None else f"{value:.2f}"
    environment.filters["share"] = lambda value: "–" if value is None else f"{value:.0%}"
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        **figures,
        heading=heading(figures["session"]),
        # matplotlib escapes the texts in its pictures.
        plots={name: Markup(svg) for name, svg in plots.items()},  # noqa: S704
    )


def heading(session: Mapping[str, Any]) -> str:
    """What people know a session by: its title, else when it began."""
    if session["title"]:
        return str(session["title"])
    return f"Session of {_day(session['start_time'])}" if session["start_time"] else "Session"


def _count(count: int, noun: str) -> str:
    """A number with its noun: "1 sentence", "2 sentences"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _decided(decisions: Mapping[str, int]) -> str:
    """How many pairs people decided about, and how: "2 accepted, 1 fixed"."""
    return ", ".join(f"{count} {decision}" for decision, count in sorted(decisions.items()))


def _day(time: str) -> str:
    """The minute of an ISO 8601 time, as people write it."""
    return f"{datetime.fromisoformat(time).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _clock(offset_ms: int) -> str:
    """Minutes and seconds from the session's beginning."""
    minutes, seconds = divmod(offset_ms // 1000, 60)
    return f"{minutes}:{seconds:02}"
