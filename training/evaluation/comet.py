"""COMET (Rei et al. 2022), in the environment that holds unbabel-comet: its pins are its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from services.errors import EngineFailed

REPOSITORY = Path(__file__).resolve().parents[2]
PYTHON = REPOSITORY / ".venv-qe/bin/python"
MODEL = Path("var/models/wmt22-comet-da")
_CHILD = Path(__file__).with_name("comet_child.py")


def why_not(model: Path, python: Path) -> str:
    """Why COMET cannot be measured; "" when it can."""
    if not (model / "checkpoints/model.ckpt").is_file():
        return f"there is no COMET model in {model}"
    if not python.is_file():
        return f"there is no {python}, the environment that holds unbabel-comet"
    return ""


def comet_scores(
    triples: Sequence[tuple[str, str, str]], model: Path, python: Path, *, threads: int = 1
) -> list[float]:
    """The score of each (source, translation, reference); about 0 to 1, greater is better.

    Raises:
        EngineFailed: with the last lines of what the other environment said.
    """
    done = subprocess.run(
        # -P: the script's folder holds this file, which is not the library of its name.
        [str(python), "-P", str(_CHILD), str(model.resolve()), str(threads)],
        input=json.dumps(triples),
        env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EngineFailed(f"COMET failed: {done.stderr.strip()[-800:]}", engine="comet")
    scores: list[float] = json.loads(done.stdout.splitlines()[-1])
    return scores
