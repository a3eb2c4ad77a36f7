"""Recipes: what share of a mix is what, by name.

`base` trains a model that knows nothing: everything, everyday language most of all. The others go
on with one that translates already: the first time there is little of the church's own, so the
Bible teaches; later the sermons do. Pairs of sermons and of the glossary count twice in the loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from training.rows import Kind

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
