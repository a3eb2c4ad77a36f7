"""Which recordings judge, and how often each accent is to be seen; the same seed, the same."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """A group of recordings that are never parted, and how much of them became clips."""

    group: str
    accent: str
    clips_s: float


def validation_groups(shares: Sequence[Share], wanted: float, seed: int) -> frozenset[str]:
    """Groups to judge by, of each accent so much as can be.

    Args:
        wanted: the share of each accent's time, [0, 1).

    Returns:
        Never all groups of an accent; none where there is one group alone.
    """
    drawn: set[str] = set()
    if not wanted:
        return frozenset()
    by_accent: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for share in shares:
        by_accent[share.accent][share.group] += share.clips_s
    for accent, groups in sorted(by_accent.items()):
        names = sorted(groups)
        random.Random(f"{seed} {accent}").shuffle(names)
        room_s = wanted * sum(groups.values())
        # One of many is drawn whatever its length, or an accent of long sermons had none.
        shortest = min(names, key=lambda name: groups[name])
        taken = [shortest] if groups[shortest] > room_s else []
        for name in names:
            if groups[name] <= room_s and name not in taken:
                taken.append(name)
                room_s -= groups[name]
        drawn.update(taken[: len(names) - 1])
    return frozenset(drawn)


def accent_weights(seconds: Mapping[str, float], most: float) -> dict[str, float]:
    """How often a clip of each accent is to be seen, so that all accents are heard as long.

    Args:
        seconds: of clips, by accent; "" is what nobody named, which is no accent to balance.
        most: the greatest weight: a few clips seen ever again are learnt by heart.

    Returns:
        Weights from 1 to `most`.
    """
    longest_s = max((length for accent, length in seconds.items() if accent), default=0.0)
    return {
        accent: min(most, max(1.0, longest_s / length)) if accent and length else 1.0
        for accent, length in seconds.items()
    }


def repeated(weights: Sequence[float], seed: int) -> list[int]:
    """Indexes in order, each as often as its weight says; the odd part of it is drawn."""
    draw = random.Random(seed)
    return [
        index
        for index, weight in enumerate(weights)
        for _ in range(int(weight) + (draw.random() < weight % 1))
    ]
