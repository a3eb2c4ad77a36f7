"""Trigram models: what they add up to, what mixing and pruning do, what pocketsphinx reads."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from pocketsphinx import Config, LogMath, NGramModel, get_model_path

from training.trigrams.arpa import write_trie
from training.trigrams.generic_model import GenericModel
from training.trigrams.ngram_pruning import pruned
from training.trigrams.ngrams import (
    BEGIN,
    SPECIAL_WORDS,
    UNKNOWN,
    WORD_BITS,
    Backoff,
    Counts,
    counted,
    fitted_weights,
    kneser_ney,
    looked_up,
    mixed,
    perplexity,
)

PSALM = ("the lord is my shepherd", "the lord is my light", "he leads me beside the still waters")
NEWS = ("the bus is late", "the bus is full", "he waits beside the road", "my road is full")
WORDS = [*SPECIAL_WORDS, *sorted({word for text in PSALM + NEWS for word in text.split()})]
NUMBERS = {word: number for number, word in enumerate(WORDS)}


def numbered(texts: tuple[str, ...]) -> list[list[int]]:
    return [[NUMBERS.get(word, UNKNOWN) for word in text.split()] for text in texts]


def many(texts: tuple[str, ...], count: int, seed: int = 1) -> Counts:
    """Sentences in the manner of these: each follows one and goes on with another."""
    draw = random.Random(seed)
    lines = []
    for _ in range(count):
        first, second = draw.choice(texts).split(), draw.choice(texts).split()
        cut = draw.randrange(1, 4)
        lines.append(" ".join(first[:cut] + second[cut:]))
    return counted(numbered(tuple(lines)))


def key(*words: str) -> int:
    number = 0
    for word in words:
        number = (number << WORD_BITS) | NUMBERS[word]
    return number


def sums(model: Backoff, histories: list[tuple[str, ...]]) -> list[float]:
    """What the probabilities of all words after each history come to."""
    return [
        float(
            model.probabilities(
                np.array([key(*history, word) for word in WORDS]), len(history) + 1
            ).sum()
        )
        for history in histories
    ]


HISTORIES: list[tuple[str, ...]] = [
    *((), ("the",), ("shepherd",), ("<s>",)),
    *(("<s>", "the"), ("the", "lord"), ("lord", "waters"), ("is", "my"), ("my", "shepherd")),
]


def test_ngrams_are_counted_within_sentences_and_not_over_an_unknown_word() -> None:
    counts = counted(numbered(("the lord walks the road", "the bus")))
    pairs = dict(zip(counts.keys[1].tolist(), counts.counts[1].tolist(), strict=True))
    assert pairs == {
        key("<s>", "the"): 2,
        key("the", "lord"): 1,
        key("the", "road"): 1,
        key("road", "</s>"): 1,
        key("the", "bus"): 1,
        key("bus", "</s>"): 1,
    }
    assert set(counts.keys[2].tolist()) == {
        *(key("<s>", "the", "lord"), key("<s>", "the", "bus")),
        *(key("the", "road", "</s>"), key("the", "bus", "</s>")),
    }


@pytest.mark.parametrize("sentence_count", [3, 300])
def test_after_each_history_the_probabilities_of_all_words_come_to_1(sentence_count: int) -> None:
    model = kneser_ney(many(PSALM, sentence_count), len(WORDS))
    assert sums(model, HISTORIES) == pytest.approx([1.0] * len(HISTORIES))


def test_a_model_prefers_what_it_has_read() -> None:
    model = kneser_ney(many(PSALM, 300), len(WORDS))
    after = model.probabilities(
        np.array([key("is", "my", word) for word in ("shepherd", "light", "bus")]), 3
    )
    assert min(after[0], after[1]) > 20 * after[2] > 0
    assert (
        perplexity(model, many(PSALM, 50, seed=2)) < perplexity(model, many(NEWS, 50, seed=2)) / 5
    )


def test_a_mixture_gives_each_ngram_its_share_from_each_model() -> None:
    texts = many(PSALM, 300), many(NEWS, 300)
    models = [kneser_ney(text, len(WORDS)) for text in texts]
    pairs, triples = (np.union1d(texts[0].keys[n], texts[1].keys[n]) for n in (1, 2))
    keys = pairs, triples
    model = mixed(models, [0.7, 0.3], keys, len(WORDS))
    assert sums(model, HISTORIES) == pytest.approx([1.0] * len(HISTORIES))
    for order, own in ((2, keys[0]), (3, keys[1])):
        wanted = 0.7 * models[0].probabilities(own, order)
        wanted += 0.3 * models[1].probabilities(own, order)
        assert model.probabilities(own, order) == pytest.approx(wanted)


def test_shares_follow_the_texts_that_they_are_fitted_to() -> None:
    models = [kneser_ney(many(text, 300), len(WORDS)) for text in (PSALM, NEWS)]
    psalm, news = many(PSALM, 40, seed=2), many(NEWS, 400, seed=2)
    assert fitted_weights(models, [psalm])[0] > 0.95
    assert fitted_weights(models, [news])[1] > 0.95
    # Ten times as long, and yet it weighs the same.
    assert fitted_weights(models, [psalm, news]) == pytest.approx([0.5, 0.5], abs=0.1)


def test_pruning_takes_what_matters_least_and_leaves_a_model() -> None:
    text = many(PSALM, 300)
    model = kneser_ney(text, len(WORDS))
    total = text.counts[0].sum()
    histories = (
        looked_up(text.keys[0], text.counts[0] / total, np.arange(len(WORDS)), 0.0),
        looked_up(text.keys[1], text.counts[1] / total, model.keys[0], 0.0),
    )
    same = pruned(model, histories, -1.0)
    assert [len(keys) for keys in same.keys] == [len(keys) for keys in model.keys]

    perplexities, sizes = [], []
    for threshold in (-1.0, 1e-4, 1e-3, 1e-1):
        smaller = pruned(model, histories, threshold)
        assert sums(smaller, HISTORIES) == pytest.approx([1.0] * len(HISTORIES))
        sizes.append(len(smaller.keys[0]) + len(smaller.keys[1]))
        perplexities.append(perplexity(smaller, text))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2
    assert perplexities == sorted(perplexities)


def test_pocketsphinx_reads_from_the_file_what_the_model_says(tmp_path: Path) -> None:
    model = kneser_ney(many(PSALM, 300), len(WORDS))
    path = tmp_path / "model.lm.bin"
    assert write_trie(path, model, WORDS) == path.stat().st_size
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    read = NGramModel(Config(), LogMath(), str(path))
    for words in (
        *(("lord",), ("the", "lord"), ("<s>", "the"), ("shepherd", "</s>")),
        *(("is", "my", "shepherd"), ("is", "my", "bus"), ("waters", "bus", "still")),
    ):
        said = float(model.probabilities(np.array([key(*words)]), len(words))[0])
        assert 1.0001 ** read.prob(list(reversed(words))) == pytest.approx(said, rel=0.02), words


@pytest.fixture(scope="module")
def generic() -> GenericModel:
    model = GenericModel(Path(get_model_path("en-us/en-us.lm.bin")))
    model.use(WORDS)
    return model


def test_the_ngrams_of_pocketsphinxs_own_model_are_found(generic: GenericModel) -> None:
    pairs, triples = generic.keys()
    assert {key("the", "lord"), key("<s>", "the"), key("road", "</s>")} <= set(pairs.tolist())
    assert key("the", "lord", "is") in triples
    assert (np.diff(pairs) > 0).all()
    assert (np.diff(triples) > 0).all()
    # What the file lists is likelier than what it would be without being listed.
    assert np.isin(triples >> WORD_BITS, pairs).mean() > 0.9
    listed, of_all = generic.probabilities(triples, 3), generic.probabilities(triples, 1)
    assert np.median(listed / np.maximum(of_all, 1e-12)) > 1


def test_its_probabilities_are_told_in_our_numbers(generic: GenericModel) -> None:
    asked = np.array([key("road", "</s>"), key("<s>", "road")])
    ends, begins = generic.probabilities(asked, 2)
    assert ends > 100 * begins > 0
    assert generic.probabilities(np.array([UNKNOWN, BEGIN]), 1).tolist() == [0.0, 0.0]
    assert sum(generic.probabilities(np.arange(len(WORDS)), 1)) < 1


def test_its_frequent_words_are_words() -> None:
    model = GenericModel(Path(get_model_path("en-us/en-us.lm.bin")))
    frequent = model.frequent_words(1e-4)
    assert 500 < len(frequent) < 3000
    assert {"the", "people", "i'm"} <= set(frequent)
    assert not {"<s>", "</s>", "'bout"} & set(frequent)
