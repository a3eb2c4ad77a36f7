"""In which order rows are told: as drawn, or from what is clean and easy to what is hard.

A curriculum is the order of train.jsonl, and a note of it in the manifest beside it, by which a
trainer knows: its first pass follows the file, and later ones are shuffled, as all is easy by then
(Platanios et al. 2019, arXiv 1903.09848).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from training.rows import Kind, Row
from training.run_folder import noted

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


def order_of(folder: Path) -> Order:
    """The order of a folder's train.jsonl, as the job that wrote it noted."""
    return "curriculum" if noted(folder).get("order") == "curriculum" else "shuffled"


def noted_order(order: Order) -> dict[str, Order]:
    """What a trainer adds to the options that its run notes.

    Nothing of shuffled rows: runs from before there was an order have none, and can be resumed.
    """
    return {} if order == "shuffled" else {"order": order}
