"""The snapshots of a trainer: which a cycle is to learn from, and what they hold out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from services.collector import snapshot as dataset
from training.rows import Row, read_rows

_TRAIN, _DEV, _TEST = (f"en-es{split}/pairs.jsonl" for split in ("", ".dev", ".test"))


def whole_snapshots(folder: Path) -> list[str]:
    """The names of those with pairs to train on or to judge by, the oldest first."""
    return sorted(
        path.name
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (path / dataset.MANIFEST).is_file()
        and any((path / part).is_file() for part in (_TRAIN, _DEV, _TEST))
    )


def count_pairs(folder: Path, names: Sequence[str]) -> int:
    """How many pairs they give to train on."""
    files = (folder / name / _TRAIN for name in names)
    return sum(sum(1 for _ in read_rows(file)) for file in files if file.is_file())


def held_out(folder: Path, names: Sequence[str]) -> Iterator[Row]:
    """What they hold out for tests."""
    for file in (folder / name / _TEST for name in names):
        if file.is_file():
            yield from read_rows(file)
