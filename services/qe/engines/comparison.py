"""How alike two texts of one language are: by their characters, or by their embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from sacrebleu.metrics.chrf import CHRF

from services.errors import Unavailable
from services.model_files import checked, find_model
from services.runtime_failures import as_engine_failed

_EMBEDDING_FILES = ("modules.json",)
_EMBEDDINGS_AT_ONCE = 32


class Comparison(Protocol):
    """Tells how alike two texts of one language are."""

    name: str

    def values(self, texts: Sequence[tuple[str, str]]) -> list[float | None]:
        """[0, 1] for each pair of texts, in order; None for one that it cannot take as a whole."""


class ChrfPlusPlus:
    """chrF++: character 6-grams and word 2-grams, whatever the case."""

    name = "chrf++"

    def __init__(self) -> None:
        self._chrf = CHRF(word_order=2, lowercase=True)

    def values(self, texts: Sequence[tuple[str, str]]) -> list[float | None]:
        return [
            float(self._chrf.sentence_score(text, [other]).score) / 100 for text, other in texts
        ]


class Cosine:
    """The cosine of two sentence embeddings; opposite ones count as unrelated."""

    def __init__(self, model: Any, model_name: str) -> None:
        self.name = f"cosine/{model_name}"
        self._model = model

    @classmethod
    def load(cls, model: str, models_dir: Path, device: str, threads: int) -> Cosine:
        """A model of sentence-transformers, from its folder alone.

        Raises:
            Unavailable: ENGINE_MISSING, MODEL_MISSING, MODEL_ALTERED, MODEL_UNSAFE.
            EngineFailed: it cannot be loaded.
        """
        folder = checked(find_model(model, models_dir, needs=_EMBEDDING_FILES))
        try:
            import torch
            from sentence_transformers import SentenceTransformer
        except ModuleNotFoundError as error:
            raise Unavailable(
                "ENGINE_MISSING",
                f"comparing by embeddings needs the module {error.name}: pip install -e "
                "'.[cometkiwi]'",
                engine="agreement",
            ) from error
        if threads:
            torch.set_num_threads(threads)
        with as_engine_failed(
            "quality engine", "agreement", f"load the embedding model in {folder}"
        ):
            loaded = SentenceTransformer(
                str(folder),
                device=device,
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        return cls(loaded, folder.name)

    def values(self, texts: Sequence[tuple[str, str]]) -> list[float | None]:
        flat = [text for pair in texts for text in pair]
        fits = self._fits(flat)
        vectors = self._model.encode(
            flat,
            batch_size=_EMBEDDINGS_AT_ONCE,
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return [
            float(vectors[at] @ vectors[at + 1]) if fits[at] and fits[at + 1] else None
            for at in range(0, len(flat), 2)
        ]

    def _fits(self, texts: Sequence[str]) -> list[bool]:
        """Whether the model reads each text to its end."""
        most_tokens = self._model.get_max_seq_length()
        if most_tokens is None:
            return [True] * len(texts)
        tokens = self._model.tokenizer(list(texts), truncation=False, verbose=False)["input_ids"]
        return [len(each) <= most_tokens for each in tokens]
