"""What a trained model is exported to, one file a format.

Each has `convert(source, out, quantization)`: writes the folder `out` from a model as transformers
saves it. The library that does it is imported there, when it is called.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from services.errors import InvalidInput

Kind = Literal["marian", "whisper", "language_model"]


class Convert(Protocol):
    def __call__(self, source: Path, out: Path, quantization: str) -> None:
        """Writes the folder `out`. Raises Unavailable: a library or a card is missing."""


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        module: what converts, beside this file.
        engines: the service's engine that loads it, by the kind of model that it takes.
        quantizations: number formats; the first is what is usually wanted.
    """

    module: str
    engines: Mapping[Kind, str]
    quantizations: tuple[str, ...]

    def convert(self, source: Path, out: Path, quantization: str) -> None:
        """Imports what converts and lets it."""
        converter: Convert = importlib.import_module(f"{__name__}.{self.module}").convert
        converter(source, out, quantization)


FORMATS = {
    "ctranslate2": Format(
        "ctranslate2_folder",
        {"marian": "marian", "whisper": "faster_whisper"},
        ("int8", "int8_float16", "int8_float32", "float16", "float32"),
    ),
}


def kind_of(source: Path) -> Kind:
    """What kind of model a folder holds. Raises InvalidInput: MODEL_MISSING."""
    try:
        config = json.loads((source / "config.json").read_text(encoding="utf-8"))
        model_type = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            "MODEL_MISSING",
            f"{source} is no model as transformers saves it: its config.json is missing, or names "
            "no model_type",
        ) from error
    kinds: dict[str, Kind] = {"marian": "marian", "whisper": "whisper"}
    return kinds.get(model_type, "language_model")
