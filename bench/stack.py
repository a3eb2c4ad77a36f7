"""The stack that a benchmark runs against: its own processes, ports and folder, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from cli.stack import StackPlan, free_port_base, plan
from cli.supervisor import Supervisor

# Not the default one: verbs that find no stack elsewhere would talk to the one that is measured.
_PORT_BASE = 17_300


@contextlib.asynccontextmanager
async def running_stack(
    profile: str, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Supervisor]:
    """A ready stack; `settings` are further GLOSSA_* variables. Progress goes to stderr."""
    with tempfile.TemporaryDirectory(prefix="glossa-bench-") as folder:
        supervisor = Supervisor(
            free_plan(Path(folder), profile, settings),
            lambda line: print(f"glossa: {line}", file=sys.stderr),
        )
        async with supervisor.running():
            yield supervisor


def free_plan(
    folder: Path, profile: str = "embedded", settings: Mapping[str, str] | None = None
) -> StackPlan:
    """A plan in `folder` on ports that are free now."""
    return plan(profile, folder, free_port_base(_PORT_BASE), {**os.environ, **(settings or {})})
