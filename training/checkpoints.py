"""What a killed run goes on from: a state of our own, or a checkpoint of transformers' Trainer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from training.run_folder import whole_file

_FOLDER = re.compile(r"checkpoint-(\d+)")


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Puts tensors and numbers in their place in one step."""
    import torch

    with whole_file(path) as file:
        torch.save(state, file)


def read_state(path: Path) -> dict[str, Any] | None:
    """What was saved there; None when nothing was."""
    import torch

    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    return state


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
