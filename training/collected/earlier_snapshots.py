"""What the earlier snapshots of a trainer say, so that no pair is stored twice as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.collector.pair import Decision, ReviewedPair
from services.collector.reading import CollectedPair
from services.collector.snapshot import MANIFEST, PAIRS, read_manifest, read_rows
from services.errors import WrongState
from training.collected.held_out import Place

REJECTED, WITHDRAWN = Decision.REJECTED.value, Decision.WITHDRAWN.value


@dataclass(frozen=True, slots=True)
class Standing:
    """The newest row of a pair.

    Args:
        sequence: of the journal event that it came from.
    """

    source_text: str
    target_text: str
    is_decided: bool
    sequence: int


@dataclass(frozen=True, slots=True)
class EarlierSnapshots:
    """All of one trainer.

    Args:
        pair_ids: of all their rows.
        standing: pair id to its newest row, where that was not taken back since.
        rejected: ids of pairs that people had rejected.
        places: where each session is.
        held_out_texts: both sides of the rows that models are judged with.
    """

    pair_ids: set[str] = field(default_factory=set)
    standing: dict[str, Standing] = field(default_factory=dict)
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

    def say(self, last: CollectedPair) -> bool:
        """Whether they say of a pair what `last`, the newest word that was delivered, says."""
        pair_id = last.pair.pair_id
        if not isinstance(last, ReviewedPair):
            return pair_id in self.pair_ids or pair_id in self.rejected
        if last.decision is Decision.REJECTED:
            return pair_id in self.rejected
        standing = self.standing.get(pair_id)
        if standing is None:
            return False
        if last.decision is Decision.WITHDRAWN:
            is_same = not standing.is_decided
        else:
            said = (last.source_text, last.target_text)
            is_same = said == (standing.source_text, standing.target_text)
        return is_same or last.sequence <= standing.sequence

    def _add(self, folder: Path, manifest: dict[str, Any]) -> None:
        for path in sorted(folder.glob(f"*/{PAIRS}")):
            is_held_out = path.parent.name.endswith((".dev", ".test"))
            for row in read_rows(path):
                texts = (row[row["source_language"]], row[row["target_language"]])
                is_decided = row["decision"] is not None
                self.standing[row["pair_id"]] = Standing(*texts, is_decided, row["sequence"])
                self.pair_ids.add(row["pair_id"])
                self.rejected.discard(row["pair_id"])
                if is_held_out:
                    self.held_out_texts.extend(texts)
        for reason, sessions in manifest["dropped"].items():
            for pair_id in (each for ids in sessions.values() for each in ids):
                self.standing.pop(pair_id, None)
                if reason == REJECTED:
                    self.rejected.add(pair_id)
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
