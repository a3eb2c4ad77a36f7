"""What a cycle tells the job of each step, beside the plan's options, and what they leave.

<cycle>/mix, noise, audio     what is trained on
<cycle>/train                 the trainer's run
<cycle>/export/<name>         what services load
<cycle>/evaluation            of the export, which is what will speak
<cycle>/gate.json
"""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.datasets_folder import datasets_dir
from services.model_manifest import read_manifest
from training import run_folder
from training.collected.new_sermons import held_out, whole_snapshots
from training.cycling.judges import judges, write_judges
from training.cycling.plan import Plan
from training.rollout.deployments import DeploymentLog
from training.rollout.versions import Registry, Version, content_sha256
from training.rows import read_rows


@dataclass(frozen=True)
class CycleSteps:
    """The steps of one cycle.

    Args:
        folder: the cycle's.
        why: the reason for letting a red gate pass; None for none.
    """

    plan: Plan
    folder: Path
    number: int
    why: str | None = None

    @property
    def snapshots(self) -> Path:
        """The folder of all snapshots for this trainer."""
        return datasets_dir() / self.plan.trainer.job

    @property
    def snapshot(self) -> Path:
        return self.snapshots / self.folder.name

    @property
    def export(self) -> Path:
        return self.folder / "export" / self.plan.model_name

    @property
    def evaluation(self) -> Path:
        return self.folder / "evaluation"

    @property
    def gate(self) -> Path:
        return self.folder / "gate.json"

    @property
    def judges(self) -> Path:
        return self.folder / "judges"

    @property
    def registry(self) -> Path:
        return Path(self.plan.table("registry").get("registry", "var/registry"))

    def command(self, step: str, sermons: Sequence[str] = ()) -> list[str]:
        """What runs a step, without --resume.

        Args:
            sermons: the snapshots that are mixed.
        """
        own: dict[str, Any] = {
            "snapshot": lambda: ["--trainer", self.plan.trainer.job, "--out", self.snapshot],
            "mix": lambda: [
                *(part for name in sermons for part in ("--sermons", self.snapshots / name)),
                *(part for each in self._own_sets() for part in ("--evaluation", each)),
                # Nothing but the embedded translator sends stand-ins for places.
                *(() if self.plan.engine == "embedded" else ("--hidden-places-share", 0)),
                *("--out", self.folder / "mix"),
            ],
            "noise": lambda: ["--mix", self.folder / "mix", "--out", self.folder / "noise"],
            "audio": lambda: ["--out", self.folder / "audio"],
            "train": self._train,
            "export": self._export,
            "evaluate": self._evaluate,
            "gate": self._gate,
            "registry": lambda: [
                *("--export", self.export, "--cycle", self.number),
                *("--evaluation", self.evaluation / "evaluation.json"),
                *("--gate", self.gate),
            ],
            "deploy": self._deploy,
        }
        given = list(map(str, own[step]()))
        if step == "evaluate" and self._in_use():
            # In the place of what the plan names, which was there before the first cycle.
            told = _without(self.plan.arguments(step), "--old", "--stt-old")
        else:
            told = self.plan.arguments(step)
        verb = ["add"] if step == "registry" else []
        return [sys.executable, "-m", self.plan.job(step), *verb, *given, *told]

    def make_judges(self) -> None:
        """Gathers what the jobs so far kept from being trained on."""
        kept_apart = self.folder / "mix" / "test.jsonl"
        if kept_apart.exists():
            shutil.rmtree(self.judges, ignore_errors=True)
            sermons = held_out(self.snapshots, whole_snapshots(self.snapshots))
            write_judges(self.judges, itertools.chain(read_rows(kept_apart), sermons))

    def clear(self, step: str) -> None:
        """Removes what a step left half-made, or by another plan."""
        if step in self._left_by:
            shutil.rmtree(self._left_by[step], ignore_errors=True)
        if step == "gate":
            self.gate.unlink(missing_ok=True)

    def has_lost(self, step: str) -> bool:
        """Whether something was taken out of what a step has written or read."""
        try:
            told = json.loads((self._left_by[step] / run_folder.MANIFEST).read_text("utf-8"))
        except (KeyError, OSError, ValueError):
            return False
        return run_folder.FORGOTTEN in told

    @property
    def _left_by(self) -> dict[str, Path]:
        """The folder that the job of a step writes."""
        return {
            "mix": self.folder / "mix",
            "noise": self.folder / "noise",
            "audio": self.folder / "audio",
            "train": self.folder / "train",
            "export": self.folder / "export",
            "evaluate": self.evaluation,
        }

    def is_red(self) -> bool:
        """Whether the gate was held and is against it."""
        try:
            return not json.loads(self.gate.read_text(encoding="utf-8"))["may_deploy"]
        except FileNotFoundError:
            return False

    def registered(self) -> Version | None:
        """The version that the export is, once it is one."""
        manifest = read_manifest(self.export)
        if manifest is None:
            return None
        sha8 = content_sha256(manifest)[:8]
        known = Registry(self.registry).versions()
        return next((each for each in known if each.name.endswith(f"_{sha8}")), None)

    def _own_sets(self) -> list[str]:
        """The files of the sets that the plan adds to what models are judged with."""
        told = self.plan.table("evaluate").get("set", [])
        return [each.partition("=")[2] for each in (told if isinstance(told, list) else [told])]

    def _train(self) -> list[Any]:
        if self.plan.trainer.kind == "whisper":
            return ["--clips", self.folder / "audio", "--out", self.folder / "train"]
        data = self.folder / ("noise" if "noise" in self.plan.tables else "mix")
        return ["--data", data, "--out", self.folder / "train"]

    def _export(self) -> list[Any]:
        made = self.folder / "train" / self.plan.trainer.writes
        base = self.plan.table("train").get("model")
        model = (
            ["--model", base, "--adapter", made] if made.name == "adapter" else ["--model", made]
        )
        clips: list[Any] = []
        if self.plan.trainer.kind == "whisper" and "check_with" not in self.plan.table("export"):
            clips = ["--check-with", self.folder / "audio"]
        return [*model, *clips, "--out", self.export]

    def _evaluate(self) -> list[Any]:
        prefix = "--stt-" if self.plan.trainer.kind == "whisper" else "--"
        old = self._in_use()
        made = read_manifest(self.export)
        # A cycle that an earlier version of Glossa began may have exported for another engine.
        engine = made.lineage["engine"] if made is not None else self.plan.engine
        return [
            *(f"{prefix}new", f"{engine}:{self.export}"),
            *((f"{prefix}old", old) if old else ()),
            *(part for each in judges(self.judges) for part in ("--set", each)),
            *(("--trained-on", self.folder / "audio") if prefix == "--stt-" else ()),
            *("--out", self.evaluation),
        ]

    def _in_use(self) -> str | None:
        """The version of ours that the plan's hosts use now, as training.evaluate is told it."""
        name = self.plan.table("deploy").get("name") or self.plan.model_name
        tier = self.plan.table("deploy").get("tier", "final")
        used = [
            entry
            for place, entry in DeploymentLog(self.registry).in_use().items()
            if (place.model, place.tier) == (name, tier) and entry["version"]
        ]
        if not used:
            return None
        version = Registry(self.registry).find(max(used, key=lambda entry: entry["at"])["version"])
        return f"{version.engine}:{version.model}"

    def _gate(self) -> list[Any]:
        if self.plan.trainer.kind == "whisper":  # judged as exported, and by no text
            judged: list[Any] = ["--needs", "recognition"]
        else:
            judged = ["--needs", "translation", "--needs", "export", "--export", self.export]
        override: list[Any] = [] if self.why is None else ["--override", self.why]
        return ["--evaluation", self.evaluation, *judged, *override, "--out", self.gate]

    def _deploy(self) -> list[Any]:
        version = self.registered()
        return ["--registry", self.registry, version.name if version else "VERSION"]


def _without(arguments: list[str], *options: str) -> list[str]:
    """Arguments without those options and their values."""
    dropped = {at + more for at, each in enumerate(arguments) if each in options for more in (0, 1)}
    return [each for at, each in enumerate(arguments) if at not in dropped]
