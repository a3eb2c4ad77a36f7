"""Which n-grams a model can do without."""

from __future__ import annotations

import numpy as np

from training.trigrams.ngrams import (
    PAIR_MASK,
    WORD_BITS,
    WORD_MASK,
    Backoff,
    Bools,
    Floats,
    Keys,
    found,
    normalised,
)


def pruned(model: Backoff, histories: tuple[Floats, Floats], threshold: float) -> Backoff:
    """The model without the n-grams whose loss changes its perplexity by less than `threshold`.

    Stolcke 1998, "Entropy-based pruning of backoff language models". Histories weigh what they
    weigh in text and not in the model: Kneser-Ney's lower orders are no frequencies (Chelba et al.
    2010, "Study on interaction between entropy pruning and Kneser-Ney smoothing").

    Args:
        histories: how likely each word, by number, and each pair, beside its key, is in text.
        threshold: relative, for example 1e-8.
    """
    (pairs, triples), (pair_values, triple_values) = model.keys, model.values
    suffixes = model.probabilities(triples & PAIR_MASK, 2)
    places, _ = found(pairs, triples >> WORD_BITS)
    keeps = _worth(triple_values, suffixes, places, model.weights[1], histories[1]) >= threshold
    triples, triple_values = triples[keeps], triple_values[keeps]

    words = pairs >> WORD_BITS
    shorter = model.unigrams[pairs & WORD_MASK]
    needed = _needed(pairs, triples)
    worth = _worth(pair_values, shorter, words, model.weights[0], histories[0])
    keeps = needed | (worth >= threshold)
    return normalised(model.unigrams, (pairs[keeps], triples), (pair_values[keeps], triple_values))


def _worth(
    values: Floats, shorter: Floats, histories: Keys, weights: Floats, probabilities: Floats
) -> Floats:
    """By how much, relatively, perplexity rises without each n-gram alone."""
    size = len(weights)
    left = 1.0 - np.bincount(histories, weights=values, minlength=size)
    left_shorter = 1.0 - np.bincount(histories, weights=shorter, minlength=size)
    left, left_shorter = np.maximum(left, 1e-6), np.maximum(left_shorter, 1e-6)
    weight = weights[histories]
    without = (left[histories] + values) / (left_shorter[histories] + shorter)
    change = values * (np.log(shorter) + np.log(without) - np.log(values)) + left[histories] * (
        np.log(without) - np.log(weight)
    )
    gain: Floats = np.expm1(-probabilities[histories] * change)
    return gain


def _needed(pairs: Keys, triples: Keys) -> Bools:
    """The pairs that are the history or the suffix of a triple that stays.

    pocketsphinx keeps its n-grams by their last word first and puts missing suffixes in itself.
    """
    return found(np.union1d(triples >> WORD_BITS, triples & PAIR_MASK), pairs)[1]
