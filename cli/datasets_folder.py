"""Where datasets lie on this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def datasets_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of datasets: GLOSSA_DATASETS_DIR, else var/datasets of this checkout."""
    from cli.stack import DEFAULT_STATE_DIR

    named = environment.get("GLOSSA_DATASETS_DIR")
    return Path(named or DEFAULT_STATE_DIR / "datasets").resolve()
