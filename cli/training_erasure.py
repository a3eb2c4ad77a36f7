"""Forgetting a session in what training keeps: the job training.forget, as a process of its own.

The jobs are above the command line, and import what it may lack.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cli.stack import REPOSITORY

_TIMEOUT_S = 3600.0  # it may read all clips of a year, for their hashes


@dataclass(frozen=True)
class Erasure:
    """What the job did.

    Args:
        busy_count: folders that a job is writing to, and that were left alone; None: it failed.
        note: what to do, or what cannot be undone.
    """

    row_count: int = 0
    busy_count: int | None = None
    note: str = ""


def forget_in_training(session_id: str, state_dirs: Iterable[Path]) -> Erasure:
    """Takes the session out of the runs, cycles and versions below these folders."""
    command = ["-m", "training.forget", "--session", session_id]
    folders = [part for folder in state_dirs for part in ("--state-dir", str(folder))]
    try:
        done = subprocess.run(
            [sys.executable, *command, *folders, "--json"],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
        told = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        said = f"python {' '.join(command)}"
        return Erasure(note=f"could not be looked through; see what `{said}` says, and repeat it")
    notes = [f"{folder}: a job is at work there" for folder in told["busy"]]
    if notes:
        notes.append("forget once more when it has ended")
    if told["learned"]:
        notes.append(f"had read it, and what was learned stays: {', '.join(told['learned'])}")
    return Erasure(told["row_count"], len(told["busy"]), "; ".join(notes))
