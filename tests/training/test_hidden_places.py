"""Rows whose places in the Bible have stand-ins, as the embedded translator gives them."""

from __future__ import annotations

import random

from training.rows import Row
from training.texts.hidden_places import with_places_hidden


def row(source: str, target: str) -> Row:
    return Row(source, target, "sermon", "test")


SAME = row("Turn to John three sixteen.", "Abran en Juan 3:16.")
OTHERS = [
    row("Turn to John 3:16.", "Abran en Juan 3:17."),
    row("Titus 3:5 and Hebrews 11", "Hebreos 11 y Tito 3:5"),
    row("Good morning, church.", "Buenos días, iglesia."),
]


def test_both_sides_are_hidden_where_they_name_the_same_places() -> None:
    rows = list(with_places_hidden([SAME, *OTHERS], 1.0, random.Random(1)))
    assert (rows[0].source, rows[0].target) == ("Turn to &.", "Abran en &.")
    assert (rows[0].kind, rows[0].origin) == (SAME.kind, SAME.origin)
    assert rows[1:] == OTHERS


def test_a_share_keeps_its_places() -> None:
    rows = list(with_places_hidden([SAME] * 400, 0.7, random.Random(1)))
    assert 240 <= sum("&" in each.source for each in rows) <= 320
    assert list(with_places_hidden([SAME], 0.0, random.Random(1))) == [SAME]
