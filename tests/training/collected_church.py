"""What a church collects in a real Redis, and its trainer's folder of snapshots."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from services.collector import snapshot as dataset
from services.collector.bands import Band
from services.collector.pair import Decision, ReviewedPair
from services.collector.pair_keys import stream_key
from services.collector.queues import Queues
from services.collector.write_script import Write
from tests.collector.pairs import reviewed, scored
from tests.collector.redis_process import RedisProcess
from training.collected.datasets import read_datasets
from training.snapshot import snapshot

SUNDAY = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Church:
    """What is collected, and the trainer's folder."""

    def __init__(self, server: RedisProcess, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.empty_queues()

    def empty_queues(self) -> None:
        self.server.client.flushall()
        self._sequence = 0

    def collect(self, *changes: Any) -> None:
        first = self._sequence + 1
        writes = [Write(number, change) for number, change in enumerate(changes, first)]

        async def write() -> None:
            queues = Queues.open(self.server.url)
            await queues.write("journal", self._sequence, writes)
            await queues.close()

        asyncio.run(write())
        self._sequence += len(changes)

    def preach(self, week: int, segments: range, band: Band = Band.ACCEPT) -> None:
        self.collect(*(self.said(week, number, band) for number in segments))

    def said(self, week: int, segment_id: int, band: Band = Band.ACCEPT) -> Any:
        return scored(
            band,
            sequence=self._sequence,
            session_id=f"week-{week}",
            segment_id=segment_id,
            time=SUNDAY + timedelta(weeks=week),
            source_text=f"Sentence {segment_id} of week {week} was said",
            target_text=f"La frase {segment_id} de la semana {week}",
        )

    def arguments(self, *more: str, trainer: str = "marian") -> list[str]:
        url = self.server.url_of("trainer", self.server.port)
        return ["--trainer", trainer, "--redis", url, "--held-out-share", "0", *more]

    def snapshot(self, name: str, *more: str, trainer: str = "marian") -> Result:
        out = ["--out", str(self.folder / name)]
        return CliRunner().invoke(snapshot, [*self.arguments(*more, trainer=trainer), *out])

    def stored(self, name: str = "**") -> Counter[str]:
        """How often each pair is in the whole snapshots, each of which is checked."""
        found: Counter[str] = Counter()
        for manifest in self.folder.glob(f"{name}/manifest.json"):
            if not any(part.endswith(".part") for part in manifest.parts):
                dataset.check(manifest.parent)
                for path in manifest.parent.glob("*/pairs.jsonl"):
                    found.update(row["pair_id"] for row in dataset.read_rows(path))
        return found

    def learned(self, *names: str) -> set[str]:
        """The translations that there are to train on in these snapshots."""
        collected = read_datasets([self.folder / name for name in names])
        return {row.target for row in collected.rows["train"]}

    def manifest(self, name: str) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads((self.folder / name / "manifest.json").read_text())
        return manifest

    def pending(self) -> int:
        return sum(
            group["pending"]
            for name in ("accept", "corrected")
            for group in self.server.client.xinfo_groups(stream_key(name))
        )


def as_it_was(machine: Any, sequence: int, decision: Decision, revision: int = 1) -> ReviewedPair:
    """A decision that leaves the texts, or shows those of the machine again."""
    return replace(
        reviewed(machine, sequence, decision, revision),
        source_text=machine.pair.source_text,
        target_text=machine.pair.target_text,
    )


def ids(week: int, *segments: int) -> set[str]:
    return {f"week-{week}/{segment}/es" for segment in segments}
