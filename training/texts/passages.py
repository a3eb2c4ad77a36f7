"""Verses as they are told: some one by one, some three to five in a row."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from training.texts.verse_pairs import Verse

_FEWEST, _MOST = 3, 5
_MEAN = (_FEWEST + _MOST) / 2


def told(
    verses: Sequence[Verse], passage_share: float, most_words: int, rng: random.Random
) -> Iterator[list[Verse]]:
    """Each verse once, in order, alone or with those after it.

    Args:
        passage_share: of the verses that stand in a passage, [0, 1].
        most_words: of a passage's source; a longer one is told verse by verse.
    """
    # Drawn at each beginning, and a passage takes as many verses as _MEAN singles.
    chance = passage_share / (passage_share + (1 - passage_share) * _MEAN)
    index = 0
    while index < len(verses):
        length = 1
        if rng.random() < chance:
            wanted = rng.randint(_FEWEST, _MOST)
            run = _run(verses, index, wanted)
            words = sum(len(verse.source.split()) for verse in verses[index : index + run])
            if run == wanted and words <= most_words:
                length = run
        yield list(verses[index : index + length])
        index += length


def _run(verses: Sequence[Verse], start: int, most: int) -> int:
    """How many verses from there on follow each other in their chapter, at most so many."""
    length = 1
    while length < most and start + length < len(verses):
        before, after = verses[start + length - 1], verses[start + length]
        if (after.book, after.chapter, after.number) != (
            before.book,
            before.chapter,
            before.number + 1,
        ):
            break
        length += 1
    return length
