"""A stack that verbs find although `./glossa up` has not started it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from services.settings import PORT_OFFSETS, port


def describe_stack(folder: Path, base: int) -> str:
    """Has verbs look at these ports; returns the GLOSSA_STATE_DIR that they are to be given."""
    ports = {name: port(name, base) for name in PORT_OFFSETS if not name.startswith("mt_alt")}
    description = {"pid": os.getpid(), "port_base": base, "ports": ports}
    (folder / "stack.json").write_text(json.dumps(description))
    return str(folder)
