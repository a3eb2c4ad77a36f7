"""Rows in which places in the Bible are hidden, as the embedded translator hides them.

A share stays as it is: where the model serves alone, it is given the places themselves.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from services.bible_references import Place
from services.mt import places
from training.rows import Row


def with_places_hidden(rows: Sequence[Row], share: float, rng: random.Random) -> Iterator[Row]:
    """The rows; that share of those with the same places on both sides has stand-ins for them."""
    for row in rows:
        changed = _hidden(row)
        yield changed if changed and rng.random() < share else row


def _hidden(row: Row) -> Row | None:
    """None: without places, or not the same ones in the same order."""
    sources = places.found(row.source, row.source_language)
    targets = places.found(row.target, row.target_language)
    if not sources or [_said(each) for each in sources] != [_said(each) for each in targets]:
        return None
    return replace(
        row,
        source=places.hidden(row.source, sources),
        target=places.hidden(row.target, targets),
    )


def _said(place: Place) -> tuple[object, ...]:
    return place.reference, place.last_verse
