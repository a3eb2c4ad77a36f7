"""What a cycle has done so far: <cycle>/cycle.json, put in its place whole after every step.

A step is "running", "done", "failed" or "interrupted". A cycle is

    running, interrupted, failed    it goes on with --resume
    stopped                         at --until; likewise
    red                             the gate is against it; --resume --override lets it pass
    nothing_new                     too few new pairs to train on
    done
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.errors import InvalidInput, WrongState
from training.cycling.plan import Plan
from training.run_folder import git_revision, versions, write_json

RECORD = "cycle.json"
SCHEMA = "glossa-cycle"
# The user and the password of a URL (RFC 3986, section 3.2.1).
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/\s]*@")
# What a timer takes up again by itself.
_UNFINISHED = {"running", "interrupted", "failed"}


class CycleRecord:
    """cycle.json of one folder."""

    def __init__(self, folder: Path, content: dict[str, Any]) -> None:
        self.folder = folder
        self.content = content
        self._began_s = 0.0

    @classmethod
    def begin(cls, folder: Path, plan: Plan, number: int) -> CycleRecord:
        """Makes the folder. Raises WrongState: FOLDER_EXISTS; InvalidInput: FOLDER_UNUSABLE."""
        if folder.exists() and any(folder.iterdir()):
            raise WrongState(
                "FOLDER_EXISTS", f"{folder} is not empty; name another folder, or --resume"
            )
        content = {
            "schema": SCHEMA,
            "number": number,
            "trainer": plan.trainer.job,
            "model_name": plan.model_name,
            "plan": {"file": str(plan.path), "tables": _without_passwords(plan.tables)},
            "git_revision": git_revision(),
            "versions": versions(),
            "started": _now(),
            "status": "running",
            "steps": {},
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            record = cls(folder, json.loads(json.dumps(content)))
            record._save()
        except OSError as error:
            raise InvalidInput(
                "FOLDER_UNUSABLE", f"cannot write {folder}: {error.strerror}"
            ) from error
        return record

    @classmethod
    def read(cls, folder: Path) -> CycleRecord:
        """Raises InvalidInput: NO_CYCLE."""
        try:
            content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            if content["schema"] != SCHEMA:
                raise ValueError(f"its schema is {content['schema']!r}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidInput("NO_CYCLE", f"{folder} holds no cycle: {error}") from error
        return cls(folder, content)

    @property
    def number(self) -> int:
        return int(self.content["number"])

    @property
    def status(self) -> str:
        return str(self.content["status"])

    @property
    def steps(self) -> Mapping[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.content["steps"]
        return found

    def is_done(self, step: str) -> bool:
        return self.steps.get(step, {}).get("status") == "done"

    def resume(self, plan: Plan) -> None:
        """Raises WrongState: PLAN_DIFFERS, where a step was done by another plan."""
        began = self.content["plan"]["tables"]
        now = json.loads(json.dumps(_without_passwords(plan.tables)))
        if (self.content["trainer"], self.content["model_name"]) != (
            plan.trainer.job,
            plan.model_name,
        ):
            raise WrongState("PLAN_DIFFERS", f"{self.folder} is the cycle of another model")
        for step in plan.steps:
            if self.is_done(step) and _without_passwords(began.get(step, {})) != now.get(step, {}):
                raise WrongState(
                    "PLAN_DIFFERS",
                    f"[{step}] of {plan.path} has changed since {self.folder} did that step; put "
                    "it back, or begin a new cycle without --resume",
                )
        self.content["plan"]["tables"] = now
        self.end("running")

    def begin_step(self, step: str, command: Sequence[str]) -> bool:
        """Notes that a step is under way; whether it was begun before with the same command."""
        before, told = self.steps.get(step, {}), _without_passwords(list(command))
        was_begun = bool(before.get("command") == told)
        began = {"status": "running", "started": _now(), "command": told}
        self.content["steps"][step] = began | {"duration_s": before.get("duration_s", 0.0)}
        self._began_s = time.monotonic()
        self._save()
        return was_begun

    def end_step(self, step: str, status: str, **facts: Any) -> None:
        kept = self.steps[step]
        duration_s = round(kept["duration_s"] + time.monotonic() - self._began_s, 1)
        kept |= {"status": status, "ended": _now(), "duration_s": duration_s, **facts}
        self._save()

    def note(self, **facts: Any) -> None:
        self.content |= facts
        self._save()

    def end(self, status: str) -> None:
        self.note(status=status, ended=None if status == "running" else _now())

    def _save(self) -> None:
        write_json(self.folder / RECORD, self.content)


def cycles_in(folder: Path) -> list[CycleRecord]:
    """All that lie in a folder, in the order of their names."""
    return [CycleRecord.read(path.parent) for path in sorted(folder.glob(f"*/{RECORD}"))]


def unfinished(folder: Path, plan: Plan) -> CycleRecord | None:
    """The newest one of this model's, where that is to go on."""
    mine = [each for each in cycles_in(folder) if is_of(each, plan)]
    return mine[-1] if mine and mine[-1].status in _UNFINISHED else None


def is_of(record: CycleRecord, plan: Plan) -> bool:
    kept = record.content
    return (kept["trainer"], kept["model_name"]) == (plan.trainer.job, plan.model_name)


def next_number(folder: Path, registry: Path) -> int:
    """One more than that of any cycle or version that there is."""
    numbers = [each.number for each in cycles_in(folder)]
    names = (path.name for path in registry.iterdir()) if registry.is_dir() else ()
    found = (re.match(r"\.?cycle(\d+)_", name) for name in names)
    return 1 + max([*numbers, *(int(each[1]) for each in found if each)], default=0)


def _without_passwords(value: Any) -> Any:
    """Texts with the passwords taken out of URLs: the record is kept for years, and shown."""
    if isinstance(value, str):
        return _PASSWORD.sub(r"\1@", value)
    if isinstance(value, Mapping):
        return {name: _without_passwords(each) for name, each in value.items()}
    return list(map(_without_passwords, value)) if isinstance(value, list) else value


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
