"""The snapshots of a trainer: which a cycle is to learn from, and what they hold out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from services.collector import snapshot as dataset
from training.collected.datasets import files, read_datasets
from training.rows import Row, read_rows


def whole_snapshots(folder: Path) -> list[str]:
    """Their names, the oldest first; also of those that only hold out, or take pairs back."""
    return sorted(
        path.name
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (path / dataset.MANIFEST).is_file()
    )


def count_pairs(folder: Path, names: Sequence[str]) -> int:
    """How many pairs they give to train on."""
    return sum(
        sum(1 for _ in read_rows(path))
        for name in names
        for split, path in files(folder / name)
        if split == "train"
    )


def held_out(folder: Path, names: Sequence[str]) -> list[Row]:
    """What they hold out for tests, as people left it."""
    return read_datasets([folder / name for name in names]).rows["test"]
