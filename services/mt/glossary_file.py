"""Reads a glossary: tab-separated rows of source, target and, if the sense matters, a context."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from services.errors import Unavailable
from services.mt.glossary import Term
from services.mt.sense import Context, key

COLUMNS = ["source", "target", "context"]
LEFT_TO_THE_RUNTIME = "-"


def read(path: Path) -> tuple[Term, ...]:
    """Reads a file with the header `source`, `target` and perhaps `context`; skips blank lines.

    A row may leave its context out. A target of "-" leaves the sense that its context names to the
    runtime.

    Raises:
        Unavailable: GLOSSARY_UNREADABLE with the line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unavailable("GLOSSARY_UNREADABLE", f"glossary {path}: {error}") from error
    if not lines or lines[0] not in (COLUMNS[:2], COLUMNS):
        raise _unreadable(
            path, "line 1 must be: source<tab>target, or source<tab>target<tab>context"
        )
    terms = []
    for number, columns in enumerate(lines[1:], start=2):
        if any(column.strip() for column in columns):
            try:
                terms.append(_term(columns, len(lines[0])))
            except ValueError as error:
                raise _unreadable(path, f"line {number} {error}") from error
    return tuple(terms)


def reverse(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The same terms for the other direction; contexts are about the first language alone."""
    return tuple(Term(term.target, term.source) for term in terms if term.context is None)


def _term(columns: list[str], most_columns: int) -> Term:
    """Raises ValueError, to be read after "line 2"."""
    if not 2 <= len(columns) <= most_columns or not key(columns[0]):
        raise ValueError("is not source<tab>target")
    source, target = columns[0].strip(), columns[1].strip()
    try:
        context = Context.read(columns[2]) if "".join(columns[2:]).strip() else None
    except ValueError as error:
        raise ValueError(f"has a context that cannot be read: {error}") from error
    if target == LEFT_TO_THE_RUNTIME:
        if context is None:
            raise ValueError("leaves a term to the runtime, which it is without the row too")
        return Term(source, "", context)
    if not key(target):
        raise ValueError("is not source<tab>target")
    return Term(source, target, context)


def _unreadable(path: Path, problem: str) -> Unavailable:
    return Unavailable("GLOSSARY_UNREADABLE", f"glossary {path}: {problem}")
