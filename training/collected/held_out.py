"""Which sessions are trained on, and which a model is judged with. Pure.

All of one day go together: the sermon of the morning may be heard again in the evening. Where a
session or a day is, it stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session is.

    Args:
        date: of its first pair, in UTC: 2026-11-22.
    """

    split: Split
    date: str


def places(
    dates: Mapping[str, str], known: Mapping[str, Place], share: float, newest: int | None
) -> dict[str, Place]:
    """The place of every session in `dates`.

    Args:
        dates: session to its date.
        known: places of sessions before; they are kept.
        share: of all days that are held out, half of them for dev; a day's hash decides, so that
            it is the same for every trainer.
        newest: instead, how many of the newest new days are held out; one stays to be trained on.
    """
    days: dict[str, Split] = {place.date: place.split for place in known.values()}
    new = sorted({day for session, day in dates.items() if session not in known} - days.keys())
    if newest is None:
        days |= {day: _by_hash(day, share) for day in new}
    else:
        days |= dict.fromkeys(new, "train")
        held_out = new[::-1][: min(newest, max(0, len(new) - 1))]
        days |= {day: "dev" if number % 2 else "test" for number, day in enumerate(held_out)}
    return {
        session: known.get(session) or Place(days[date], date) for session, date in dates.items()
    }


def _by_hash(day: str, share: float) -> Split:
    number = int.from_bytes(hashlib.sha256(day.encode()).digest()[:8]) / 2**64
    if number >= share:
        return "train"
    return "test" if number < share / 2 else "dev"
