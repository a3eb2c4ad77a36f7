"""The trigram model that pocketsphinx brings with it, as one of the models of a mixture.

pocketsphinx tells the probability of any n-gram and lists none, and its own conversion of this file
to ARPA breaks off: so the keys are read from the file. It is a trie from the last word backwards,
packed in bits, as src/lm/lm_trie.c of pocketsphinx 5.1.1 writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.errors import InvalidInput
from training.trigrams.ngrams import BEGIN, UNKNOWN, WORD_BITS, WORD_MASK, Floats, Keys

_HEADER = b"Trie Language Model\x03"
# Three tables (of pairs: probabilities and weights; of triples: probabilities) of 2^16 floats.
_QUANTISATION_BYTES = 4 + 3 * 65536 * 4
_UNIGRAM = np.dtype([("probability", "<f4"), ("weight", "<f4"), ("next", "<u4")])
_PAIR_VALUE_BITS, _TRIPLE_VALUE_BITS = 32, 16
# The base of pocketsphinx's logarithms.
_LOG_BASE = 1.0001


class GenericModel:
    """A trie model in a vocabulary of ours; a word that it does not know has probability 0."""

    def __init__(self, path: Path) -> None:
        from pocketsphinx import Config, LogMath, NGramModel

        content = path.read_bytes()
        if not content.startswith(_HEADER):
            raise InvalidInput("MODEL_UNREADABLE", f"{path} is no trie model of trigrams")
        self._model = NGramModel(Config(), LogMath(), str(path))
        offset = len(_HEADER)
        words, pairs, triples = struct.unpack_from("<3I", content, offset)
        offset += 12 + _QUANTISATION_BYTES
        unigrams = np.frombuffer(content, _UNIGRAM, words + 1, offset)
        offset += unigrams.nbytes
        word_bits, next_bits = int(words).bit_length(), int(triples).bit_length()
        pair_bits = word_bits + _PAIR_VALUE_BITS + next_bits
        triple_bits = word_bits + _TRIPLE_VALUE_BITS
        # Each with a last entry that ends the one before, and 8 bytes to read over.
        pair_bytes = ((1 + pairs) * pair_bits + 7) // 8 + 8
        triple_bytes = ((1 + triples) * triple_bits + 7) // 8 + 8
        packed = np.frombuffer(content, np.uint8, pair_bytes + triple_bytes, offset)
        offset += pair_bytes + triple_bytes

        self.words = [word.decode() for word in content[offset + 4 :].split(b"\0")[:words]]
        self._unigrams = np.power(_LOG_BASE, unigrams["probability"][:-1].astype(np.float64))
        # Counted while the file was made, a few of the pairs are not there.
        pair_count = int(unigrams["next"][-1])
        ends: Keys = unigrams["next"].astype(np.int64)
        self._last = np.repeat(np.arange(words), ends[1:] - ends[:-1])
        starts = np.arange(pair_count + 1) * pair_bits
        self._middle = _bits(packed, starts[:-1], word_bits)
        following = _bits(packed, starts + word_bits + _PAIR_VALUE_BITS, next_bits)
        self._pair_of_triple = np.repeat(np.arange(pair_count), following[1:] - following[:-1])
        starts = pair_bytes * 8 + np.arange(len(self._pair_of_triple)) * triple_bits
        self._first = _bits(packed, starts, word_bits)
        self._vocabulary: list[str] = []

    def frequent_words(self, least_probability: float) -> list[str]:
        """Its words at least that likely, without those that stand for no word."""
        likely = np.nonzero(self._unigrams >= least_probability)[0]
        return [self.words[word] for word in likely if self.words[word][0].isalpha()]

    def use(self, vocabulary: Sequence[str]) -> None:
        """Takes the numbers of words that its keys and those asked of it have."""
        self._vocabulary = list(vocabulary)
        known = set(self.words)
        self._is_known = np.array([word in known for word in vocabulary])
        self._is_known[UNKNOWN] = False

    def keys(self) -> tuple[Keys, Keys]:
        """Its pairs and triples in the vocabulary in use, sorted."""
        numbers = {word: number for number, word in enumerate(self._vocabulary)}
        ours = np.array([numbers.get(word, UNKNOWN) for word in self.words], dtype=np.int64)
        last, middle = ours[self._last], ours[self._middle]
        is_ours = (last != UNKNOWN) & (last != BEGIN) & (middle != UNKNOWN)
        pairs = (middle << WORD_BITS) | last
        owner, first = self._pair_of_triple, ours[self._first]
        triples = (first << 2 * WORD_BITS) | pairs[owner]
        return np.unique(pairs[is_ours]), np.unique(triples[is_ours[owner] & (first != UNKNOWN)])

    def probabilities(self, keys: Keys, order: int) -> Floats:
        asked = self._vocabulary
        # The word first, then the words before it, the nearest first.
        columns = [(keys >> WORD_BITS * place) & WORD_MASK for place in range(order)]
        logs = np.fromiter(
            (
                self._model.prob([asked[number] for number in numbers])
                for numbers in zip(*(column.tolist() for column in columns), strict=True)
            ),
            dtype=np.float64,
            count=len(keys),
        )
        is_known = self._is_known[columns[0]] & (columns[0] != BEGIN)
        return np.where(is_known, np.power(_LOG_BASE, logs), 0.0)


def _bits(packed: NDArray[np.uint8], starts: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Numbers of `count` <= 40 bits that start at these bits, the lowest first."""
    places = starts >> 3
    read = np.zeros(len(starts), dtype=np.int64)
    for number in range(6):
        read |= packed[places + number].astype(np.int64) << (8 * number)
    return (read >> (starts & 7)) & ((1 << count) - 1)
