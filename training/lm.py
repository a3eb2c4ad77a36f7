"""Makes the embedded recogniser's language model for church: Bible, sermon and everyday speech.

    python -m training.lm --data ../data --out runs/lm

A trigram model for each text, mixed by what finds held-out text likeliest, with pocketsphinx's own
model beside them at a share that is asked for, pruned to the size asked for. What comes out,
<out>/model, is what GLOSSA_STT_MODEL names with the engine pocketsphinx: model.lm.bin, model.dict
and manifest.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from services.errors import InvalidInput
from training.data_folder import DataFolder
from training.job import Job, data_option, out_option
from training.run_folder import RunFolder, fingerprint, write_json
from training.trigrams.arpa import trie_bytes, write_trie
from training.trigrams.generic_model import GenericModel
from training.trigrams.language_texts import read_texts, vocabulary_of
from training.trigrams.ngram_pruning import pruned
from training.trigrams.ngrams import (
    SPECIAL_WORDS,
    UNKNOWN,
    WORD_BITS,
    WORD_MASK,
    Backoff,
    Counts,
    Floats,
    Keys,
    counted,
    fitted_weights,
    kneser_ney,
    looked_up,
    mixed,
    perplexity,
)
from training.trigrams.pronunciations import read_dictionary, spoken, write_dictionary

_LICENCES = {
    "bible": "public domain (World English Bible, King James Version)",
    "tatoeba": "CC BY 2.0 FR (Tatoeba, www.manythings.org/anki)",
    "addresses": "public domain (State of the Union, 1981-2006)",
    "sermons": "public domain (C. H. Spurgeon)",
    "generic": "BSD (pocketsphinx en-us; see LICENSE)",
}


@click.command(cls=Job)
@data_option
@out_option
@click.option(
    "--size-mb", type=click.FloatRange(min=1), default=8.0, help="Of model and dictionary."
)
@click.option(
    "--hold-out/--all-books",
    default=False,
    help="Leave out the Bible's dev and test books, to measure on what was not learned.",
)
@click.option(
    "--least-probability",
    type=click.FloatRange(min=0, max=1),
    default=1e-6,
    show_default=True,
    help="Of a word that only pocketsphinx's own model knows; rarer ones are left out.",
)
@click.option(
    "--generic-share",
    type=click.FloatRange(min=0, max=1, max_open=True),
    default=0.6,
    show_default=True,
    help="Of pocketsphinx's own model. More keeps everyday speech, less suits the Bible.",
)
def lm(
    data: Path,
    out: Path,
    size_mb: float,
    hold_out: bool,
    least_probability: float,
    generic_share: float,
) -> None:
    """Makes a language model and dictionary for the recogniser pocketsphinx.

    Needs flite, which ./glossa installs: it says how names are spoken that the dictionary lacks.
    Takes a minute or two and 1 GB of memory.

    \b
    python -m training.lm --data ../data --out runs/lm
    GLOSSA_STT_MODEL=runs/lm/model ./glossa bench stt pocketsphinx --audio recordings/
    """
    from pocketsphinx import get_model_path

    options = {
        "size_mb": size_mb,
        "hold_out": hold_out,
        "least_probability": least_probability,
        "generic_share": generic_share,
    }
    generic_path = Path(get_model_path("en-us/en-us.lm.bin"))
    inputs = {
        "verses": data / "bible/verses.jsonl.gz",
        "tatoeba": data / "tatoeba/train.tsv",
        "sermons": data / "sermons",
        "generic": generic_path,
    }
    texts = read_texts(DataFolder(data), hold_out)
    dictionary = read_dictionary(Path(get_model_path("en-us/cmudict-en-us.dict")))
    with RunFolder(out, "lm", options, inputs=inputs) as run:
        click.echo("reading pocketsphinx's own model", err=True)
        generic = GenericModel(generic_path)
        frequent = generic.frequent_words(least_probability)
        vocabulary = vocabulary_of(texts, dictionary, [w for w in frequent if w in dictionary])
        generic.use(vocabulary)
        missing = [word for word in vocabulary[len(SPECIAL_WORDS) :] if word not in dictionary]
        click.echo(f"{len(vocabulary)} words, {len(missing)} of them said by flite", err=True)
        pronunciations = {
            word: dictionary[word] for word in vocabulary if word in dictionary
        } | spoken(missing)

        folder = out / "model"
        folder.mkdir()
        dictionary_bytes = write_dictionary(folder / "model.dict", pronunciations)
        most_bytes = round(size_mb * 1e6) - dictionary_bytes
        if trie_bytes(vocabulary, 0, 0) > most_bytes:
            raise _too_small()
        numbers = {word: number for number, word in enumerate(vocabulary)}
        counts = [counted(_numbered(text.train, numbers)) for text in texts]
        judges = {text.name: counted(_numbered(text.dev, numbers)) for text in texts}
        models = [kneser_ney(count, len(vocabulary)) for count in counts]
        # Reading from the Bible weighs as much as all the rest together.
        others = [judge for name, judge in judges.items() if name != "bible"]
        fitted = fitted_weights([*models, generic], [*others, *([judges["bible"]] * len(others))])
        weights = _with_last(fitted, generic_share)
        names = [*(text.name for text in texts), "generic"]
        shares = dict(zip(names, weights, strict=True))
        click.echo(f"shares: {_shown(shares)}", err=True)

        generic_keys = generic.keys()
        keys = (
            np.unique(np.concatenate([*(count.keys[1] for count in counts), generic_keys[0]])),
            np.unique(np.concatenate([*(count.keys[2] for count in counts), generic_keys[1]])),
        )
        whole = mixed([*models, generic], weights, keys, len(vocabulary))
        histories = _histories(counts, weights[:-1], generic, weights[-1], keys[0], vocabulary)
        model, lm_bytes = _fitting(
            whole,
            histories,
            folder / "model.lm.bin",
            vocabulary,
            most_bytes,
        )
        perplexities = {
            name: {
                "generic": _perplexity_of_known(generic, judge),
                "whole": perplexity(whole, judge),
                "pruned": perplexity(model, judge),
            }
            for name, judge in judges.items()
        }
        run.note(
            words=len(vocabulary),
            words_said_by_flite=len(missing),
            pairs=len(model.keys[0]),
            triples=len(model.keys[1]),
            bytes=lm_bytes + dictionary_bytes,
            shares=shares,
            dev_perplexity=perplexities,
        )
        _write_manifest(folder, run.manifest, [*judges, "generic"])
        for name, row in perplexities.items():
            click.echo(f"perplexity of {name} it has not learned: {_shown(row)}")
        click.echo(f"{folder}: {(lm_bytes + dictionary_bytes) / 1e6:.1f} MB")


def _numbered(sentences: Sequence[Sequence[str]], numbers: dict[str, int]) -> list[list[int]]:
    return [[numbers.get(word, UNKNOWN) for word in sentence] for sentence in sentences]


def _with_last(shares: Sequence[float], last: float) -> list[float]:
    """The shares with another one for the last; the rest is parted as it was."""
    others = sum(shares[:-1])
    return [*(share / others * (1.0 - last) for share in shares[:-1]), last]


def _histories(
    counts: Sequence[Counts],
    weights: Sequence[float],
    generic: GenericModel,
    generic_weight: float,
    pairs: Keys,
    vocabulary: Sequence[str],
) -> tuple[Floats, Floats]:
    """How likely each word and each of the pairs is in the mixed text."""
    words = generic_weight * generic.probabilities(np.arange(len(vocabulary)), 1)
    both = words[pairs >> WORD_BITS] * generic.probabilities(pairs, 2)
    for count, weight in zip(counts, weights, strict=True):
        total = count.counts[0].sum()
        words += weight * looked_up(
            count.keys[0], count.counts[0] / total, np.arange(len(vocabulary)), otherwise=0.0
        )
        both += weight * looked_up(count.keys[1], count.counts[1] / total, pairs, otherwise=0.0)
    return words, both


def _fitting(
    whole: Backoff,
    histories: tuple[Floats, Floats],
    path: Path,
    vocabulary: Sequence[str],
    most_bytes: int,
) -> tuple[Backoff, int]:
    """The most of the model that fits, and its file's bytes."""
    low, high = -11.0, -5.0  # of the threshold's exponent
    best: Backoff | None = None
    while high - low > 0.1:
        middle = (low + high) / 2
        model = pruned(whole, histories, 10**middle)
        if trie_bytes(vocabulary, *map(len, model.keys)) <= most_bytes:
            high, best = middle, model
        else:
            low = middle
    if best is None:
        raise _too_small()
    return best, write_trie(path, best, vocabulary)


def _too_small() -> InvalidInput:
    return InvalidInput(
        "SIZE_TOO_SMALL",
        "the words take nearly all of --size-mb or more; raise --size-mb or --least-probability",
    )


def _perplexity_of_known(generic: GenericModel, judge: Counts) -> float:
    """Of the words that it knows alone: it gives the others no probability at all."""
    keys = judge.keys
    known = tuple(
        generic.probabilities(key & WORD_MASK, 1) > 0 if order > 1 else np.ones(len(key), bool)
        for order, key in enumerate(keys, start=1)
    )
    return perplexity(
        generic,
        Counts(
            (keys[0], keys[1][known[1]], keys[2][known[2]]),
            (judge.counts[0], judge.counts[1][known[1]], judge.counts[2][known[2]]),
        ),
    )


def _write_manifest(folder: Path, run: dict[str, Any], sources: Sequence[str]) -> None:
    files = sorted(path for path in folder.iterdir() if path.is_file())
    write_json(
        folder / "manifest.json",
        {
            "schema": "glossa-language-model",
            "language": "en",
            "engine": "pocketsphinx",
            "options": run["options"],
            "sources": [{"name": name, "licence": _LICENCES[name]} for name in sources],
            "inputs": run["inputs"],
            "git_revision": run["git_revision"],
            "metrics": run["metrics"],
            "files": {
                path.name: {"bytes": path.stat().st_size, "sha256": fingerprint(path)}
                for path in files
            },
        },
    )


def _shown(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {figure:.4g}" for name, figure in figures.items())


if __name__ == "__main__":
    lm()
