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
from training.evaluation.translators import TRANSFORMERS

Kind = Literal["marian", "whisper", "language_model"]
# Engines that put what another one loads to use together with something else: the pair of the
# embedded profile checks each sentence of the Marian model, and has Apertium where one fails.
USED_BY = {"marian": "embedded"}


class Convert(Protocol):
    def __call__(self, source: Path, out: Path, quantization: str) -> None:
        """Writes the folder `out`. Raises Unavailable: a library or a card is missing."""


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        module: what converts, beside this file.
        engines: the service's engine that loads it alone, by the kind of model that it takes.
        quantizations: number formats; the first is what is usually wanted.
    """

    module: str
    engines: Mapping[Kind, str]
    quantizations: tuple[str, ...]

    def speaking_engines(self, kind: Kind) -> tuple[str, ...]:
        """The service's engines that can speak with it; that of the embedded profile first."""
        alone = self.engines[kind]
        return (USED_BY[alone], alone) if alone in USED_BY else (alone,)

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
    "gguf": Format("gguf_folder", {"language_model": "gguf"}, ("Q4_K_M", "Q5_K_M", "Q8_0", "F16")),
    "bitsandbytes": Format("nf4_folder", {"language_model": "bitsandbytes"}, ("nf4",)),
    "mlx": Format("mlx_folder", {"language_model": "mlx"}, ("4bit", "8bit", "bfloat16", "float32")),
    "exl3": Format("exl3_folder", {"language_model": "exl2"}, ("4.0bpw", "5.0bpw", "6.0bpw")),
    "gptq": Format("gptq_folder", {"language_model": "bitsandbytes"}, ("4bit", "8bit")),
    # For going on with: a merged adapter, MLX's weights; no service loads it as it is.
    "huggingface": Format(
        "huggingface_folder",
        {"language_model": TRANSFORMERS, "marian": TRANSFORMERS, "whisper": TRANSFORMERS},
        ("bfloat16", "float32", "float16"),
    ),
}


def runtime_of(source: Path) -> str:
    """What runs a model that is exported: MLX what it quantised itself, transformers all others."""
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    return "mlx" if "quantization" in config else TRANSFORMERS


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
