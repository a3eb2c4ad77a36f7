"""What datasets say together: of each pair, what the newest says that speaks of it.

A dataset never changes, and people go on deciding: a later one has a pair again as a person put it
right, or names it under "dropped" in its manifest when they took it back.

    <dataset>/en-es/pairs.jsonl        to train on
    <dataset>/en-es.dev/pairs.jsonl    held out, as is en-es.test
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.collector.snapshot import MANIFEST, PAIRS, read_manifest
from services.errors import InvalidInput
from training.collected.held_out import Split
from training.rows import Row, read_lines

_FOLDERS: dict[Split, str] = {"train": "en-es", "dev": "en-es.dev", "test": "en-es.test"}


@dataclass(frozen=True)
class Collected:
    """The rows of some datasets.

    Args:
        rows: by split.
        outdated: rows of older datasets in whose place a newer word stands, by split. A newer
            dataset may hold out other days, or none: what stood in dev or test was held out.
    """

    rows: dict[Split, list[Row]]
    outdated: dict[Split, list[Row]]


def is_dataset(folder: Path) -> bool:
    """Whether it has a manifest, or pairs where a dataset has them."""
    return (folder / MANIFEST).is_file() or any(True for _ in files(folder))


def files(folder: Path) -> Iterator[tuple[Split, Path]]:
    """Its files of pairs that are there."""
    for split, name in _FOLDERS.items():
        if (path := folder / name / PAIRS).is_file():
            yield split, path


def read_datasets(folders: Sequence[Path]) -> Collected:
    """The pairs of datasets, in any order; of one second, the one named later is the newer.

    Raises:
        InvalidInput: NOT_A_DATASET for a manifest, ROWS_DAMAGED for a row.
    """
    by_age = sorted(
        ((_manifest(folder), folder) for folder in folders),
        key=lambda found: str(found[0].get("created", "")),
    )
    newest: dict[str, int] = {}
    found: list[tuple[int, str | None, Split, Row]] = []
    for number, (manifest, folder) in enumerate(by_age):
        for split, path in files(folder):
            for row, fields in read_lines(path):
                pair_id = fields.get("pair_id")
                found.append((number, pair_id, split, row))
                if pair_id is not None:
                    newest[pair_id] = number
        for sessions in manifest.get("dropped", {}).values():
            newest |= {pair_id: number for ids in sessions.values() for pair_id in ids}
    collected = Collected({split: [] for split in _FOLDERS}, {split: [] for split in _FOLDERS})
    for number, pair_id, split, row in found:
        stands = pair_id is None or newest[pair_id] == number
        (collected.rows if stands else collected.outdated)[split].append(row)
    return collected


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        return read_manifest(folder / MANIFEST) or {}
    except ValueError as error:
        raise InvalidInput(
            "NOT_A_DATASET",
            f"cannot read {folder / MANIFEST}, and so not say which pairs people took back; make a "
            "new dataset",
        ) from error
