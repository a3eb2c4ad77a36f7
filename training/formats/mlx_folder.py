"""A language model for MLX, on Apple's machines."""

from __future__ import annotations

from pathlib import Path

from services.errors import Unavailable


def convert(source: Path, out: Path, quantization: str) -> None:
    try:
        import mlx_lm
    except ModuleNotFoundError as error:
        raise Unavailable(
            "ENGINE_NOT_INSTALLED", f"MLX needs {error.name}: pip install -e '.[mlx]'"
        ) from error
    bits = {"4bit": 4, "8bit": 8}.get(quantization)
    if bits is None:
        mlx_lm.convert(str(source), str(out), dtype=quantization)
    else:
        mlx_lm.convert(str(source), str(out), quantize=True, q_bits=bits)
