"""How wide text is: most characters take one column, East Asian ones two (Unicode UAX #11)."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import regex

_CLUSTER = regex.compile(r"\X")
_UNSEEN = frozenset(("Mn", "Me", "Cf", "Cc"))
_WIDE = frozenset("WF")


def clusters(text: str) -> Sequence[str]:
    """The text in pieces that people see as one character each (UAX #29): never cut inside one."""
    return list(text) if text.isascii() else _CLUSTER.findall(text)


def columns(text: str) -> int:
    """Columns that a text without line breaks takes."""
    if text.isascii():
        return len(text)
    return sum(map(_cluster_columns, clusters(text)))


def _cluster_columns(cluster: str) -> int:
    """A cluster is as wide as its widest character: marks stand above it, emoji grow together."""
    return max(
        0
        if unicodedata.category(each) in _UNSEEN
        else 2
        if unicodedata.east_asian_width(each) in _WIDE
        else 1
        for each in cluster
    )
