"""The runtimes that the contract is checked on, with their tiny models, and a recording task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.mt.engine import Engine, EngineOptions, Job, LanguagePair, loader
from tests.tiny.gemma import gemma_hf
from tests.tiny.marian import marian_ct2
from tests.tiny.mlx import gemma_mlx

ENGLISH_SPANISH = LanguagePair("en", "es")


@dataclass(frozen=True)
class Runtime:
    """A runtime under test.

    Args:
        build_model: builds or finds its tiny model, over-fitted on `pairs.EN_ES`.
        files: files of its model's folder that it cannot do without.
        weights: the one with the weights.
    """

    name: str
    build_model: Callable[[], Path]
    files: tuple[str, ...]
    weights: str

    def load(self, model: Path | None = None, **options: object) -> Engine:
        model = model or self.build_model()
        return loader(self.name)(
            EngineOptions(model=str(model), threads=1, **options)  # type: ignore[arg-type]
        )


_HF_FILES = ("config.json", "tokenizer.json", "model.safetensors")
RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            "marian",
            marian_ct2,
            ("model.bin", "config.json", "source.spm", "target.spm", "shared_vocabulary.json"),
            "model.bin",
        ),
        Runtime("bitsandbytes", gemma_hf, _HF_FILES, "model.safetensors"),
        Runtime("mlx", gemma_mlx, _HF_FILES, "model.safetensors"),
    )
}


class RecordingTask:
    """A task that keeps what it was told, and is no longer wanted after so many tokens.

    Args:
        wanted_tokens: after them its caller has left; None: it stays.
    """

    def __init__(self, job: Job, wanted_tokens: int | None = None) -> None:
        self.job = job
        self.told: list[str] = []
        self.token_count = 0
        self._wanted_tokens = wanted_tokens

    @property
    def is_wanted(self) -> bool:
        return self._wanted_tokens is None or self.token_count < self._wanted_tokens

    def tell(self, text: str, token_count: int) -> None:
        self.told.append(text)
        self.token_count += token_count


def task(text: str, *, wanted_tokens: int | None = None, **job: object) -> RecordingTask:
    return RecordingTask(
        Job(text, ENGLISH_SPANISH, **job),  # type: ignore[arg-type]
        wanted_tokens,
    )
