"""A trigram model as a file: ARPA's text, and the trie that pocketsphinx loads in a moment."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from training.trigrams.ngrams import BEGIN, UNKNOWN, WORD_BITS, WORD_MASK, Backoff, Floats

# What no history leads to, as ARPA files write it.
_NEVER = -99.0


def write_arpa(path: Path, model: Backoff, vocabulary: Sequence[str]) -> None:
    """Writes the model; vocabulary: the words by number, UNKNOWN left out of the file."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _lines(model, vocabulary))


def write_trie(path: Path, model: Backoff, vocabulary: Sequence[str]) -> int:
    """Writes the model in pocketsphinx's binary form, of 16 bits a probability; its bytes."""
    from pocketsphinx import Config, LogMath, NGramModel

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        # Its form is told by the end of its name.
        arpa, trie = Path(folder) / "model.lm", Path(folder) / "model.lm.bin"
        write_arpa(arpa, model, vocabulary)
        NGramModel(Config(), LogMath(), str(arpa)).write(str(trie))
        trie.replace(path)
    return path.stat().st_size


def trie_bytes(vocabulary: Sequence[str], pairs: int, triples: int) -> int:
    """What write_trie comes to: tables, 12 bytes a word and its letters, packed n-grams."""
    words = len(vocabulary)
    bits = pairs * (words.bit_length() + 32 + triples.bit_length())
    bits += triples * (words.bit_length() + 16)
    letters = sum(len(word) + 1 for word in vocabulary)
    return 3 * 65536 * 4 + 12 * words + letters + bits // 8 + 200


def _lines(model: Backoff, vocabulary: Sequence[str]) -> Iterator[str]:
    words = range(UNKNOWN + 1, len(vocabulary))
    pairs, triples = model.keys
    yield "\\data\\"
    yield from (f"ngram 1={len(words)}", f"ngram 2={len(pairs)}", f"ngram 3={len(triples)}")
    yield "\n\\1-grams:"
    logs, weights = _log10(model.unigrams), _log10(model.weights[0])
    for word in words:
        log = _NEVER if word == BEGIN else logs[word]
        yield f"{log:.4f} {vocabulary[word]} {weights[word]:.4f}"
    yield "\n\\2-grams:"
    columns = (pairs, _log10(model.values[0]), _log10(model.weights[1]))
    for pair, log, weight in zip(*(column.tolist() for column in columns), strict=True):
        first, second = vocabulary[pair >> WORD_BITS], vocabulary[pair & WORD_MASK]
        yield f"{log:.4f} {first} {second} {weight:.4f}"
    yield "\n\\3-grams:"
    for triple, log in zip(triples.tolist(), _log10(model.values[1]).tolist(), strict=True):
        first = vocabulary[triple >> 2 * WORD_BITS]
        second = vocabulary[(triple >> WORD_BITS) & WORD_MASK]
        yield f"{log:.4f} {first} {second} {vocabulary[triple & WORD_MASK]}"
    yield "\n\\end\\"


def _log10(values: Floats) -> Floats:
    return np.log10(np.maximum(values, 1e-10))
