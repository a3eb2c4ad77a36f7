"""Recipes: what share of a mix is what, by name.

`base` trains a model that knows nothing: everything, everyday language most of all. The others go
on with one that translates already: the first time there is little of the church's own, so the
Bible teaches; later the sermons do. Everyday language that comes with the Bible has a part of its
share, so that weekdays are not forgotten. Pairs of sermons and of the glossary count twice in the
loss.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.errors import InvalidInput
from training.rows import KINDS, Kind, Row

# Of the Bible's rows, where there is so much of it; training.bible adds as much to its own.
GENERAL_SHARE = 0.07
DOUBLED: Mapping[Kind, float] = {"sermon": 2.0, "glossary": 2.0}


@dataclass(frozen=True)
class Recipe:
    """What is mixed.

    Args:
        shares: of the rows by kind, summing to 1; None for all there is of everything.
        weights: by which a kind's rows count more in the loss.
    """

    shares: Mapping[Kind, float] | None
    weights: Mapping[Kind, float] = field(default_factory=lambda: DOUBLED)


RECIPES = {
    "base": Recipe(shares=None, weights={}),
    "first": Recipe(shares={"bible": 0.70, "sermon": 0.25, "glossary": 0.05}),
    "later": Recipe(shares={"sermon": 0.50, "bible": 0.40, "glossary": 0.10}),
}


def by_shares(
    rows: Sequence[Row], shares: Mapping[Kind, float], pairs: int, rng: random.Random
) -> tuple[list[Row], Kind | None]:
    """So many rows in those shares; fewer, in the same shares, where a kind has too few.

    GENERAL_SHARE of the Bible's rows is everyday language. Of the glossary rows may come again; a
    sermon that is not there is a mistake.

    Returns:
        The rows, and the kind that there was too little of, if any.
    """
    by_kind: dict[Kind, list[Row]] = {kind: [] for kind in KINDS}
    for row in rows:
        by_kind[row.kind].append(row)
    empty = [kind for kind in shares if not by_kind[kind]]
    if empty:
        raise InvalidInput(
            "KIND_MISSING",
            f"the recipe wants rows of {', '.join(empty)} and there are none; --sermons names a "
            "dataset, and `python -m training.bible` writes Bible and glossary",
        )
    enough_for = {
        kind: int(len(by_kind[kind]) / share)
        for kind, share in shares.items()
        if kind != "glossary"
    }
    scarce = min(enough_for, key=enough_for.__getitem__)
    most = min(pairs, enough_for[scarce])
    chosen: list[Row] = []
    for kind, share in shares.items():
        wanted = max(1, round(most * share))
        if kind == "bible":
            general = by_kind["general"]
            everyday = rng.sample(general, min(len(general), round(wanted * GENERAL_SHARE)))
            chosen += everyday
            wanted -= len(everyday)
        while wanted > len(by_kind[kind]):  # the glossary's
            chosen += by_kind[kind]
            wanted -= len(by_kind[kind])
        chosen += rng.sample(by_kind[kind], wanted)
    return chosen, scarce if most < pairs else None
