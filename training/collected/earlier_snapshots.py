"""What the earlier snapshots of a trainer hold, so that no pair is stored twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.collector.snapshot import MANIFEST, PAIRS, read_manifest, read_rows
from services.errors import WrongState
from training.collected.held_out import Place

REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class EarlierSnapshots:
    """All of one trainer.

    Args:
        pair_ids: of their rows.
        rejected: ids of pairs that people had rejected.
        places: where each session is.
        held_out_texts: both sides of the rows that models are judged with.
    """

    pair_ids: set[str] = field(default_factory=set)
    rejected: set[str] = field(default_factory=set)
    places: dict[str, Place] = field(default_factory=dict)
    held_out_texts: list[str] = field(default_factory=list)

    @classmethod
    def below(cls, root: Path, trainer: str) -> EarlierSnapshots:
        """Raises WrongState DATASET_DAMAGED: nobody knows what is in one of them."""
        earlier = cls()
        for folder, manifest in sorted(_datasets(root), key=lambda found: found[1]["created"]):
            if manifest.get("trainer", {}).get("name") == trainer:
                earlier._add(folder, manifest)
        return earlier

    def _add(self, folder: Path, manifest: dict[str, Any]) -> None:
        for path in sorted(folder.glob(f"*/{PAIRS}")):
            is_held_out = path.parent.name.endswith((".dev", ".test"))
            for row in read_rows(path):
                self.pair_ids.add(row["pair_id"])
                if is_held_out:
                    texts = (row[row["source_language"]], row[row["target_language"]])
                    self.held_out_texts.extend(texts)
        for ids in manifest["dropped"].get(REJECTED, {}).values():
            self.rejected.update(ids)
        for session_id, place in manifest["splits"].items():
            self.places.setdefault(session_id, Place(**place))


def _datasets(root: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(root.rglob(MANIFEST)):
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            continue  # not whole yet, or never
        try:
            manifest = read_manifest(path)
        except ValueError as error:
            raise WrongState(
                "DATASET_DAMAGED",
                f"cannot read {path}, and so not say which pairs are in there; delete that dataset",
            ) from error
        if manifest is not None:
            yield path.parent, manifest
