"""Rows told otherwise: other names and numbers, sentences in a row, text without punctuation."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from training.hearing.heard import unpunctuated
from training.rows import Row
from training.texts.substitution import has_numbers, renamed, renumbered


@dataclass(frozen=True)
class Augmentation:
    """How often what is done to a row, each a share of the rows that it can be done to, [0, 1].

    Args:
        renamed: names are replaced.
        renumbered: numbers are replaced.
        joined: sentences of everyday language stand two or three in a row.
        unpunctuated: sources are in lower case without punctuation, as recognisers give them.
    """

    renamed: float = 0.5
    renumbered: float = 0.5
    joined: float = 0.35
    unpunctuated: float = 0.07


# Every sentence once as it is, but for names: copying must not cost what "Tom" teaches.
FIRST_PASS = Augmentation(renamed=0.35, renumbered=0.35, joined=0.0)


def general_passes(rows: Sequence[Row], copies: int, rng: random.Random) -> Iterator[Row]:
    """Everyday language so many times, each told otherwise; sources keep their punctuation."""
    for copy in range(copies):
        how = FIRST_PASS if copy == 0 else Augmentation()
        changed = [substituted(row, how, rng) for row in rows]
        yield from joined(changed, how.joined, rng) if how.joined else changed


def number_passes(rows: Sequence[Row], copies: int, rng: random.Random) -> Iterator[Row]:
    """Rows that have numbers, so many times with others: they are few, and numbers are many."""
    always = Augmentation(renumbered=1.0)
    for row in rows:
        if not has_numbers(row.source):
            continue
        for _ in range(copies):
            changed = substituted(row, always, rng)
            if changed.source != row.source:
                yield changed


def substituted(row: Row, how: Augmentation, rng: random.Random) -> Row:
    source, target = row.source, row.target
    if rng.random() < how.renamed:
        source, target = renamed(source, target, rng)
    if rng.random() < how.renumbered:
        source, target = renumbered(source, target, rng)
    return replace(row, source=source, target=target)


def joined(rows: Sequence[Row], share: float, rng: random.Random) -> Iterator[Row]:
    """The rows in another order, that share of the results of two or three of them in a row."""
    shuffled = rng.sample(rows, len(rows))
    index = 0
    while index < len(shuffled):
        length = rng.choice((2, 2, 3)) if rng.random() < share else 1
        together = shuffled[index : index + length]
        yield replace(
            together[0],
            source=" ".join(row.source for row in together),
            target=" ".join(row.target for row in together),
        )
        index += length


def heard(rows: Sequence[Row], share: float, rng: random.Random) -> Iterator[Row]:
    """The rows, that share of them with a source without case and punctuation."""
    for row in rows:
        bare = unpunctuated(row.source) if rng.random() < share else ""
        yield replace(row, source=bare) if bare else row
