"""How much a sentence adds to what is known: repeats count less, new words count more. Pure."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable

from services.collector.filters import words

# One odd word may be a mishearing: new words double a sentence's weight at most.
NOVELTY_GAIN = 1.0
MAX_WEIGHT = 1.0 + NOVELTY_GAIN


class Vocabulary:
    """The words of everything collected so far, each with the number of texts that hold it."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._frequencies: Counter[str] = Counter()
        self._text_count = 0
        for text in texts:
            self._frequencies.update(set(words(text)))
            self._text_count += 1

    def novelty(self, text: str) -> float:
        """How rare the words of a text are, [0, 1]: 1 when no other text has any of them.

        The mean over its distinct words of 1 - log(texts with the word) / log(texts): the inverse
        document frequency (Sparck Jones 1972) as a share of the greatest there can be. Eck, Vogel
        and Waibel (2005) choose sentences for translation by it. A word that is nowhere else never
        lowers it; one more copy of the text never raises it. 0 for a text without words.
        """
        found = set(words(text))
        if not found:
            return 0.0
        return math.fsum(self._rarity(word) for word in found) / len(found)

    def _rarity(self, word: str) -> float:
        frequency = max(1, self._frequencies[word])
        if frequency == 1:
            return 1.0
        return 1.0 - math.log(frequency) / math.log(self._text_count)


def weight(copies: int, novelty: float) -> float:
    """What a sentence counts in training, (0, MAX_WEIGHT]; 1 for a single one of common words.

    (1 + NOVELTY_GAIN * novelty) / sqrt(copies): n copies together count as much as sqrt(n)
    sentences. The square root is that of word2vec's subsampling of frequent words (Mikolov et al.
    2013, formula 5), which keeps each with a chance that falls with the root of how often it comes.

    Args:
        copies: sentences of the dataset in the same cluster, this one included.
        novelty: of its words, [0, 1].

    Raises:
        ValueError: copies is below 1 or novelty outside [0, 1].
    """
    if copies < 1 or not 0.0 <= novelty <= 1.0:
        raise ValueError(f"no weight for {copies} copies and a novelty of {novelty}")
    return (1.0 + NOVELTY_GAIN * novelty) / math.sqrt(copies)


def lot(seed: int, name: str, chance: float = 1.0) -> float:
    """The lot that `name` draws; those with the greatest lots make a weighted random sample.

    log(u) / chance with u uniform in (0, 1): Efraimidis and Spirakis 2006, sampling without
    replacement. u comes from a hash of seed and name, so a lot does not depend on who else draws.

    Args:
        chance: the weight in the draw, > 0.

    Raises:
        ValueError: chance is not above 0.
    """
    if not chance > 0.0:
        raise ValueError(f"a chance must be above 0, not {chance}")
    digest = hashlib.sha256(f"{seed}\n{name}".encode()).digest()
    uniform = (int.from_bytes(digest[:6]) + 0.5) / 2**48
    return math.log(uniform) / chance
