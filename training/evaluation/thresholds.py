"""Thresholds from a file such as gate.toml, and holding figures against them."""

from __future__ import annotations

import operator
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from services.errors import InvalidInput

Bound = Literal["least", "most", "more_than", "less_than"]
_HOLDS: dict[Bound, Callable[[float, float], bool]] = {
    "least": operator.ge,
    "most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
}
_SIGNS: dict[Bound, str] = {"least": "≥", "most": "≤", "more_than": ">", "less_than": "<"}
# What was judged, and the parts of an evaluation that come with it.
PARTS = {
    "translation": ("translation", "edge_cases", "latency"),
    "recognition": ("recognition",),
    "export": ("export",),
}
_PART_OF = {name: part for part, names in PARTS.items() for name in names}
_ANY = "*"


@dataclass(frozen=True)
class Check:
    """One threshold.

    Args:
        says: what it is about, for people.
        value: the names on the way to the figure, with points between; "*" is every name.
        is_optional: the figure may be missing.
    """

    says: str
    value: str
    bound: Bound
    threshold: float
    is_optional: bool = False

    @property
    def part(self) -> str:
        """The name in PARTS of what must have been judged."""
        return _PART_OF[self.value.partition(".")[0]]


@dataclass(frozen=True)
class Outcome:
    """A check held against one figure.

    Args:
        found: None where the figure is missing.
    """

    says: str
    value: str
    found: float | None
    bound: Bound
    threshold: float
    passed: bool

    @property
    def wanted(self) -> str:
        return f"{_SIGNS[self.bound]} {self.threshold:g}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_checks(path: Path) -> list[Check]:
    """Raises InvalidInput, naming the check."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("check", [])
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidInput("THRESHOLDS_DAMAGED", f"cannot read {path}: {error}") from error
    if not tables or not isinstance(tables, list):
        raise InvalidInput("THRESHOLDS_DAMAGED", f"{path} has no [[check]]: nothing would be gated")
    return [_check(table, path, number) for number, table in enumerate(tables, start=1)]


def outcomes(checks: list[Check], figures: Mapping[str, Any], parts: set[str]) -> list[Outcome]:
    """Every check of these parts, a figure at a time; a missing figure does not pass."""
    found: list[Outcome] = []
    for check in checks:
        if check.part not in parts:
            continue
        for path, figure in _figures(check.value, figures):
            if figure is None and check.is_optional:
                continue
            passed = figure is not None and _HOLDS[check.bound](figure, check.threshold)
            found.append(Outcome(check.says, path, figure, check.bound, check.threshold, passed))
    return found


def _check(table: Any, path: Path, number: int) -> Check:
    known = {"says", "value", "optional", *_HOLDS}
    try:
        bounds: list[Bound] = [bound for bound in _HOLDS if bound in table]
        if unknown := table.keys() - known:
            raise ValueError(f"it has no {', '.join(sorted(unknown))}")
        if len(bounds) != 1:
            raise ValueError(f"it must have one of {', '.join(_HOLDS)}")
        check = Check(
            str(table["says"]),
            str(table["value"]),
            bounds[0],
            float(table[bounds[0]]),
            bool(table.get("optional", False)),
        )
        if "." not in check.value or check.value.partition(".")[0] not in _PART_OF:
            raise ValueError(f"its value {check.value!r} is no part of an evaluation")
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidInput("THRESHOLDS_DAMAGED", f"{path}, check {number}: {error}") from error
    return check


def _figures(value: str, figures: Any) -> Iterator[tuple[str, float | None]]:
    """Each figure that `value` names, with its whole path; None where there is none."""
    found: list[tuple[list[str], Any]] = [([], figures)]
    for name in value.split("."):
        found = [
            ([*path, key], inner.get(key) if isinstance(inner, Mapping) else None)
            for path, inner in found
            for key in (list(inner) if name == _ANY and isinstance(inner, Mapping) else [name])
        ]
    for path, figure in found or [(value.split("."), None)]:
        is_figure = isinstance(figure, int | float) and not isinstance(figure, bool)
        yield ".".join(path), float(figure) if is_figure else None
