"""The checkpoints of a transformers Trainer: which of them a killed run can be resumed from."""

from __future__ import annotations

import json
import re
from pathlib import Path

_FOLDER = re.compile(r"checkpoint-(\d+)")


def last_whole(folder: Path) -> Path | None:
    """The checkpoint of the most steps that was written to its end; None when there is none.

    The Trainer writes into the checkpoint's own folder, and its trainer_state.json last: without
    one that can be read, the run was killed while it wrote.
    """
    steps = {
        int(match[1]): path
        for path in folder.glob("checkpoint-*")
        if (match := _FOLDER.fullmatch(path.name))
    }
    for _, path in sorted(steps.items(), reverse=True):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return path
    return None
