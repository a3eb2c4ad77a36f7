"""Trigram models of several texts, and one model that mixes them.

KenLM's wheel only reads models (its estimator is a C++ program), nltk.lm neither prunes nor writes
ARPA files, and pocketsphinx's own builder knows one discount and one text: hence these. A model is
its n-grams as sorted arrays of integers: a word's number takes 20 bits, the earliest word is the
highest, so that a prefix is a shift and a suffix a mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WORD_BITS = 20
WORD_MASK = (1 << WORD_BITS) - 1
PAIR_MASK = (1 << 2 * WORD_BITS) - 1
# The first words of every vocabulary. An unknown one parts a sentence: no n-gram reaches over it.
UNKNOWN, BEGIN, END = 0, 1, 2
SPECIAL_WORDS = ("<unk>", "<s>", "</s>")


@dataclass(frozen=True)
class Counts:
    """How often n-grams occur: [1] words, [2] pairs, [3] triples, each sorted."""

    keys: tuple[Keys, Keys, Keys]
    counts: tuple[Floats, Floats, Floats]


class Model(Protocol):
    def probabilities(self, keys: Keys, order: int) -> Floats:
        """P(last word | the words before it) of n-grams of an order, seen or not."""


def counted(sentences: Iterable[Sequence[int]]) -> Counts:
    """The n-grams of sentences of word numbers; a begin and an end are put around each."""
    flat = np.fromiter(
        (word for sentence in sentences for word in (BEGIN, *sentence, END)), dtype=np.int64
    )
    keys, counts = [], []
    key, is_whole = flat, flat != UNKNOWN
    for order in (1, 2, 3):
        if order > 1:
            # An n-gram goes on unless the word before is an end.
            following = flat[order - 1 :]
            key = (key[: len(following)] << WORD_BITS) | following
            is_whole = (
                is_whole[: len(following)]
                & (following != UNKNOWN)
                & (flat[order - 2 : len(flat) - 1] != END)
            )
        unique, count = np.unique(key[is_whole], return_counts=True)
        keys.append(unique)
        counts.append(count.astype(np.float64))
    return Counts((keys[0], keys[1], keys[2]), (counts[0], counts[1], counts[2]))


def found(keys: Keys, wanted: Keys) -> tuple[NDArray[np.intp], Bools]:
    """Where each wanted key stands among sorted keys, and whether it is there at all."""
    if not len(keys):
        return np.zeros(len(wanted), dtype=np.intp), np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return places, keys[places] == wanted


def looked_up(keys: Keys, values: Floats, wanted: Keys, otherwise: float) -> Floats:
    """The value of each wanted key among sorted keys."""
    if not len(keys):
        return np.full(len(wanted), otherwise)
    places, is_there = found(keys, wanted)
    return np.where(is_there, values[places], otherwise)


@dataclass(frozen=True)
class Backoff:
    """A model as ARPA files have it: what an n-gram lacks, its suffix has, times a weight.

    Args:
        unigrams: by word number; the sum over a vocabulary is 1.
        keys: of pairs and of triples, sorted.
        values: their probabilities.
        weights: of words (by number) and of pairs (beside their keys), where one backs off.
    """

    unigrams: Floats
    keys: tuple[Keys, Keys]
    values: tuple[Floats, Floats]
    weights: tuple[Floats, Floats]

    def probabilities(self, keys: Keys, order: int) -> Floats:
        if order == 1:
            return self.unigrams[keys]
        history = keys >> WORD_BITS
        shorter = self.probabilities(keys & (WORD_MASK if order == 2 else PAIR_MASK), order - 1)
        weight = (
            self.weights[0][history]
            if order == 2
            else looked_up(self.keys[0], self.weights[1], history, otherwise=1.0)
        )
        own_keys, own = self.keys[order - 2], self.values[order - 2]
        if not len(own_keys):
            return weight * shorter
        places, is_there = found(own_keys, keys)
        return np.where(is_there, own[places], weight * shorter)


def kneser_ney(counts: Counts, vocabulary_size: int) -> Backoff:
    """A trigram model of one text, interpolated, with modified Kneser-Ney smoothing.

    Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling",
    section 3. What occurs in no sentence gets its share of the unigrams' discounted mass.
    """
    pairs, triples = counts.keys[1], counts.keys[2]
    # Below the highest order it counts in how many places an n-gram occurs, not how often; one that
    # begins a sentence has no word before it.
    pair_counts = _continuations(pairs, counts.counts[1], triples, PAIR_MASK, 1)
    words = np.arange(vocabulary_size)
    word_counts = np.bincount(pairs & WORD_MASK, minlength=vocabulary_size).astype(np.float64)

    uniform = np.full(vocabulary_size, 1.0)
    uniform[[UNKNOWN, BEGIN]] = 0.0
    uniform /= uniform.sum()
    discounts = _discounts(word_counts)
    total = word_counts.sum()
    unigrams = np.maximum(word_counts - discounts, 0.0) / total
    unigrams += uniform * (1.0 - unigrams.sum())

    pair_values, word_weights = _interpolated(
        pairs, pair_counts, unigrams[pairs & WORD_MASK], words
    )
    suffixes = looked_up(pairs, pair_values, triples & PAIR_MASK, otherwise=0.0)
    triple_values, pair_weights = _interpolated(triples, counts.counts[2], suffixes, pairs)
    return Backoff(
        unigrams, (pairs, triples), (pair_values, triple_values), (word_weights, pair_weights)
    )


def mixed(
    models: Sequence[Model], weights: Sequence[float], keys: tuple[Keys, Keys], words: int
) -> Backoff:
    """One model that gives the n-grams of `keys` what the mixture of the models gives them.

    Pairs must hold the history of every triple. What is not among the keys backs off
    (Stolcke 2002, "SRILM", section 4: static interpolation).
    """

    def mixture(wanted: Keys, order: int) -> Floats:
        total = np.zeros(len(wanted))
        for model, weight in zip(models, weights, strict=True):
            total += weight * model.probabilities(wanted, order)
        return total

    unigrams = mixture(np.arange(words), 1)
    unigrams /= unigrams.sum()
    return normalised(unigrams, keys, (mixture(keys[0], 2), mixture(keys[1], 3)))


def normalised(unigrams: Floats, keys: tuple[Keys, Keys], values: tuple[Floats, Floats]) -> Backoff:
    """The model of these probabilities, with the weights that make each history's sum to 1."""
    pairs, triples = keys
    word_weights = _backoff_weights(
        pairs, values[0], unigrams[pairs & WORD_MASK], np.arange(len(unigrams))
    )
    suffixes = Backoff(
        unigrams, (pairs, triples[:0]), (values[0], values[1][:0]), (word_weights, values[0])
    ).probabilities(triples & PAIR_MASK, 2)
    pair_weights = _backoff_weights(triples, values[1], suffixes, pairs)
    return Backoff(unigrams, keys, values, (word_weights, pair_weights))


def fitted_weights(
    models: Sequence[Model], texts: Sequence[Counts], rounds: int = 40
) -> list[float]:
    """Shares of the models with which their mixture finds the texts likeliest.

    Each text weighs the same, however long it is. Expectation maximisation (Jelinek and Mercer
    1980).
    """
    tables, times = [], []
    for text in texts:
        (first, others), counts = _events(text)
        tables.append(
            [
                np.concatenate([model.probabilities(first, 2), model.probabilities(others, 3)])
                for model in models
            ]
        )
        times.append(counts / counts.sum() / len(texts))
    table, time = np.concatenate(tables, axis=1), np.concatenate(times)
    shares = np.full(len(models), 1.0 / len(models))
    for _ in range(rounds):
        parts = shares[:, None] * table
        shares = (parts / parts.sum(axis=0) * time).sum(axis=1)
    return [float(share) for share in shares]


def perplexity(model: Model, counts: Counts) -> float:
    """Of a text by its counts: 2 to the bits a word; ends of sentences are words, too."""
    keys, times = _events(counts)
    logs = np.log(
        np.concatenate([model.probabilities(keys[0], 2), model.probabilities(keys[1], 3)])
    )
    return float(np.exp(-(logs * times).sum() / times.sum()))


def _events(counts: Counts) -> tuple[tuple[Keys, Keys], Floats]:
    """What is predicted: a sentence's first word from its begin, every other one from two."""
    is_first = counts.keys[1] >> WORD_BITS == BEGIN
    keys = counts.keys[1][is_first], counts.keys[2]
    return keys, np.concatenate([counts.counts[1][is_first], counts.counts[2]])


def _continuations(
    keys: Keys, counts: Floats, longer: Keys, suffix_mask: int, begin_shift: int
) -> Floats:
    suffixes, places = np.unique(longer & suffix_mask, return_counts=True)
    in_places = looked_up(suffixes, places.astype(np.float64), keys, otherwise=0.0)
    begins = keys >> (begin_shift * WORD_BITS) == BEGIN
    return np.where(begins | (in_places == 0), counts, in_places)


def _discounts(counts: Floats) -> Floats:
    """What is taken from each count: D1, D2 or D3+ by the counts of counts."""
    seen = [float((counts == times).sum()) for times in (1, 2, 3, 4)]
    if min(seen) > 0:
        first = seen[0] / (seen[0] + 2 * seen[1])
        by_count = [0.0] + [
            times - (times + 1) * first * seen[times] / seen[times - 1] for times in (1, 2, 3)
        ]
        if not all(0 < by_count[times] < times for times in (1, 2, 3)):
            by_count = [0.0, 0.5, 0.75, 0.75]
    else:  # a text too small to estimate them from
        by_count = [0.0, 0.5, 0.75, 0.75]
    return np.array(by_count)[np.minimum(counts, 3).astype(np.int64)]


def _interpolated(
    keys: Keys, counts: Floats, shorter: Floats, histories: Keys
) -> tuple[Floats, Floats]:
    """Probabilities of n-grams, and the weight with which each history backs off."""
    discounts = _discounts(counts)
    own = np.searchsorted(histories, keys >> WORD_BITS)
    totals = np.bincount(own, weights=counts, minlength=len(histories))
    freed = np.bincount(own, weights=discounts, minlength=len(histories))
    weights = np.divide(freed, totals, out=np.ones(len(histories)), where=totals > 0)
    return (counts - discounts) / totals[own] + weights[own] * shorter, weights


def _backoff_weights(keys: Keys, values: Floats, shorter: Floats, histories: Keys) -> Floats:
    own = np.searchsorted(histories, keys >> WORD_BITS)
    seen = np.bincount(own, weights=values, minlength=len(histories))
    seen_shorter = np.bincount(own, weights=shorter, minlength=len(histories))
    # A history that is followed by nearly everything has nothing left to give.
    left, left_shorter = np.maximum(1.0 - seen, 1e-6), np.maximum(1.0 - seen_shorter, 1e-6)
    return np.where(seen > 0, left / left_shorter, 1.0)
