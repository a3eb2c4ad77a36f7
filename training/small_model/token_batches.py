"""Rows as token ids, in batches of about equally long pairs that hold about equally many tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from services.errors import InvalidInput
from training.rows import Row
from training.small_model.model import MarianTokens
from training.texts.curriculum import Order

IGNORED = -100  # what torch's cross entropy passes over
# In order, pairs of a length are looked for among so many neighbours: some twenty batches' worth.
_WINDOW_ROWS = 1000


@dataclass(frozen=True)
class Encoded:
    """Pairs as token ids, each text ended by the tokenizer's end.

    Args:
        sources, targets: one array of ids a pair.
        weights: one a pair.
        dropped_count: rows left out because one text was longer than the limit.
    """

    sources: list[np.ndarray[Any, Any]]
    targets: list[np.ndarray[Any, Any]]
    weights: np.ndarray[Any, Any]
    dropped_count: int

    def __len__(self) -> int:
        return len(self.sources)


def encode(rows: Iterable[Row], tokens: MarianTokens, *, max_tokens: int) -> Encoded:
    """Encodes rows; those with a longer text than `max_tokens` are dropped."""
    kept = list(rows)
    sources = tokens.encode_sources([row.tagged_source for row in kept])
    targets = tokens.encode_targets([row.target for row in kept])
    fits = [
        max(len(source), len(target)) <= max_tokens
        for source, target in zip(sources, targets, strict=True)
    ]
    return Encoded(
        [np.array(ids, np.int32) for ids, fit in zip(sources, fits, strict=True) if fit],
        [np.array(ids, np.int32) for ids, fit in zip(targets, fits, strict=True) if fit],
        np.array([row.weight for row, fit in zip(kept, fits, strict=True) if fit], np.float32),
        fits.count(False),
    )


@dataclass(frozen=True)
class Batch:
    """A padded batch.

    Args:
        source: (rows, source tokens) int64.
        source_mask: the same shape, 1 where there is a token.
        labels: (rows, target tokens) int64, IGNORED where there is none.
        weights: (rows,) float32.
    """

    source: Any
    source_mask: Any
    labels: Any
    weights: Any

    def to(self, device: Any) -> Batch:
        """The batch on a torch device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))


def batch_indexes(
    encoded: Encoded, batch_tokens: int, seed: int, *, in_order: bool = False
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """One pass over all pairs: the indexes of each batch.

    Args:
        batch_tokens: padded tokens of the longer side that a batch may hold; a longer pair is
            alone.
        in_order: window after window of neighbours, each in random order, as Kocmi and Bojar
            (2017, arXiv 1707.09533) join a curriculum with batches of a length; else all in
            random order.
    """
    random = np.random.default_rng(seed)
    lengths = np.array(
        [
            (len(source), len(target))
            for source, target in zip(encoded.sources, encoded.targets, strict=True)
        ],
        np.int64,
    ).reshape(-1, 2)
    window = _WINDOW_ROWS if in_order else max(1, len(lengths))
    return [
        start + batch
        for start in range(0, len(lengths), window)
        for batch in _shuffled_batches(lengths[start : start + window], batch_tokens, random)
    ]


def _shuffled_batches(
    lengths: np.ndarray[Any, np.dtype[np.int64]], batch_tokens: int, random: np.random.Generator
) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    # Random among pairs of a length, so that a batch holds other pairs in each pass.
    order = np.lexsort((random.random(len(lengths)), lengths[:, 1] // 4, lengths[:, 0]))
    batches: list[np.ndarray[Any, np.dtype[np.int64]]] = []
    start, longest = 0, 0
    for position, index in enumerate(order):
        longer = max(longest, int(lengths[index].max()))
        if position > start and longer * (position - start + 1) > batch_tokens:
            batches.append(order[start:position])
            start, longer = position, int(lengths[index].max())
        longest = longer
    if start < len(order):
        batches.append(order[start:])
    return [batches[index] for index in random.permutation(len(batches))]


def padded(encoded: Encoded, indexes: Sequence[int] | np.ndarray[Any, Any], pad_id: int) -> Batch:
    """The batch of some pairs, as torch tensors."""
    import torch

    source = _padded([encoded.sources[index] for index in indexes], pad_id)
    labels = _padded([encoded.targets[index] for index in indexes], IGNORED)
    return Batch(
        source=torch.from_numpy(source),
        source_mask=torch.from_numpy((source != pad_id).astype(np.int64)),
        labels=torch.from_numpy(labels),
        weights=torch.from_numpy(encoded.weights[np.asarray(indexes)]),
    )


def passes(
    encoded: Sequence[Encoded],
    batch_tokens: int,
    seed: int,
    *,
    order: Order = "shuffled",
    first_batch: int = 0,
) -> Iterator[tuple[Encoded, np.ndarray[Any, np.dtype[np.int64]]]]:
    """Batches without end: each pass takes the next of `encoded`, in an order of its own.

    Args:
        order: of the first pass; later ones are shuffled.
        first_batch: how many batches, counted from the very first, to leave out.

    Raises:
        InvalidInput: NO_ROWS.
    """
    if not any(map(len, encoded)):
        raise InvalidInput(
            "NO_ROWS",
            "no row of train.jsonl is left to learn from; look at the file, or raise --max-tokens",
        )
    count, number = 0, 0
    while True:
        chosen = encoded[number % len(encoded)]
        in_order = order == "curriculum" and number == 0
        batches = batch_indexes(chosen, batch_tokens, seed + number, in_order=in_order)
        for indexes in batches[max(0, first_batch - count) :]:
            yield chosen, indexes
        count += len(batches)
        number += 1


def _padded(arrays: Sequence[np.ndarray[Any, Any]], filling: int) -> np.ndarray[Any, Any]:
    padded = np.full((len(arrays), max(map(len, arrays))), filling, np.int64)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded
