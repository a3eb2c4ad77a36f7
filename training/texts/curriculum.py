"""In which order rows are told: as drawn, or from what is clean and easy to what is hard.

A curriculum is the order of train.jsonl and nothing else; whoever wants it reads in order.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal, get_args

from training.rows import Kind, Row

Order = Literal["shuffled", "curriculum"]
ORDERS: tuple[Order, ...] = get_args(Order)

# What was translated by people first; what a machine heard and translated last.
_STAGES: dict[Kind, int] = {"glossary": 0, "general": 0, "bible": 1, "sermon": 2}
_LONG_WORDS = 40


def ordered(rows: Sequence[Row], order: Order, rng: random.Random) -> list[Row]:
    """The rows shuffled; as a curriculum, within stages of rising difficulty."""
    shuffled = rng.sample(rows, len(rows))
    return sorted(shuffled, key=difficulty) if order == "curriculum" else shuffled


def difficulty(row: Row) -> int:
    """Its stage, from 0 on: by kind, one later for an old register, a long or a bare source."""
    is_bare = row.source == row.source.lower() and row.target != row.target.lower()
    is_long = len(row.source.split()) > _LONG_WORDS
    return _STAGES[row.kind] + (bool(row.tag) or is_long or is_bare)
