"""Runs a verb as a user would."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.processes import REPOSITORY


def run_verb(
    *arguments: str, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """`./glossa <arguments>` with `environment` alone, where no stack is found."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "cli", *arguments],
        cwd=REPOSITORY,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("GLOSSA_")},
            "GLOSSA_STATE_DIR": "/nonexistent",
            **environment,
        },
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
    )
