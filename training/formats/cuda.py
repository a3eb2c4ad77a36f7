"""Formats that only a machine with an NVIDIA card can make."""

from __future__ import annotations

import importlib.util

from services.errors import Unavailable


def require(name: str, library: str) -> None:
    """Raises Unavailable: NO_CARD, ENGINE_NOT_INSTALLED. Imports nothing that needs a card."""
    import torch

    if not torch.cuda.is_available():
        raise Unavailable(
            "NO_CARD",
            f"{name} is made on an NVIDIA card, and there is none here; run this on a machine that "
            "has one, or choose gguf",
        )
    if importlib.util.find_spec(library) is None:
        raise Unavailable("ENGINE_NOT_INSTALLED", f"{name} needs {library}: pip install {library}")
