"""The tiny Gemma 3 as a folder for mlx-lm."""

from __future__ import annotations

from pathlib import Path

from tests.tiny import gemma, pairs
from tests.tiny.cache import built


def gemma_mlx() -> Path:
    """The weights of `gemma.gemma_hf` in float32, the quickest on a CPU."""
    return built(
        "gemma-mlx",
        lambda folder: _convert(gemma.gemma_hf(), folder),
        *(Path(module.__file__) for module in (gemma, pairs)),
        Path(__file__),
    )


def _convert(hf: Path, folder: Path) -> None:
    import mlx_lm

    folder.rmdir()  # the converter insists on making it
    mlx_lm.convert(str(hf), str(folder), dtype="float32")
