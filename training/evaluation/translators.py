"""A translation model to be judged, as the service loads it or as a trainer wrote it.

apertium                     the runtimes of services/mt, and their models:
marian:models/en-es-int8     a folder of CTranslate2
embedded:models/en-es-int8   the same with Apertium beside it, as the embedded profile has it
gguf:models/gemma.gguf       ...
transformers:run/model       a Marian or Gemma folder of a trainer; or a LoRA adapter's
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from services.errors import InvalidInput, Unavailable
from services.mt.engine import (
    RUNTIMES,
    Engine,
    EngineOptions,
    Job,
    LanguagePair,
    Rendering,
    loader,
)
from services.mt.glossary import Glossary
from services.mt.task import TextTask
from training.run_folder import fingerprint

TRANSFORMERS = "transformers"
_BATCH = 16


class Judged(Protocol):
    """A model, whatever it does.

    Args:
        model: runtime and model: "marian/en-es-int8".
        size_bytes: of its files; None where it has none of its own.
    """

    model: str
    size_bytes: int | None


class Translator(Judged, Protocol):
    """One model."""

    def translate(self, texts: Sequence[str], *, draft: bool = False) -> list[str]:
        """A translation of each text; of a blank one "". Raises GlossaError."""

    def renderings(self, texts: Sequence[str]) -> list[Rendering]:
        """The same for finals, and which model spoke where there are several."""

    def close(self) -> None:
        """Gives everything back."""


def load_translator(spec: str, pair: LanguagePair, *, threads: int = 1) -> Translator:
    """The translator that RUNTIME[:PATH] names.

    Raises:
        InvalidInput: UNKNOWN_ENGINE, MODEL_MISSING.
        Unavailable: as loaders of services.mt do, saying what to install or to get.
    """
    runtime, _, model = spec.partition(":")
    if runtime == TRANSFORMERS:
        from training.evaluation.transformers_models import load_folder

        return load_folder(existing_folder(model), pair, threads)
    if runtime not in RUNTIMES:
        raise InvalidInput(
            "UNKNOWN_ENGINE",
            f"there is no translator {spec!r}; it is RUNTIME or RUNTIME:PATH, with a runtime of "
            f"{', '.join(sorted([*RUNTIMES, TRANSFORMERS]))}",
        )
    options = EngineOptions(
        model=model or RUNTIMES[runtime].model, threads=threads, max_batch=_BATCH, pairs=(pair,)
    )
    load = loader(runtime)
    own = Path(model).resolve()
    direction = f"-{pair.source}-{pair.target}"
    is_marian = runtime in ("marian", "embedded") and (own / "model.bin").is_file()
    if is_marian and not own.name.endswith(direction):
        # Its folder's name tells the service the direction; what is judged may be called anything.
        with tempfile.TemporaryDirectory(prefix="glossa-evaluate-") as folder:
            link = Path(folder) / f"{own.name}{direction}"
            link.symlink_to(own, target_is_directory=True)
            engine = load(replace(options, model=str(link)))
    else:
        engine = load(options)
    if engine.capabilities.lacks:
        engine.close()
        raise Unavailable("MODEL_MISSING", f"{spec} is not whole: {engine.capabilities.lacks}")
    if pair not in engine.capabilities.pairs:
        engine.close()
        raise InvalidInput(
            "UNSUPPORTED_LANGUAGE_PAIR", f"{spec} does not translate {pair.source} to {pair.target}"
        )
    return EngineTranslator(engine, pair, engine.model(pair), Path(model) if model else None)


def describe(spec: str, loaded: Judged) -> dict[str, Any]:
    """Which model was judged; `sha256` of its files, so that no other is deployed for it."""
    files = Path(spec.partition(":")[2] or os.devnull)
    is_there = files.is_dir() or files.is_file()
    return {
        "spec": spec,
        "model": loaded.model,
        "size_bytes": loaded.size_bytes,
        "sha256": fingerprint(files) if is_there else None,
    }


def existing_folder(path: str) -> Path:
    """Raises InvalidInput."""
    if not (path and Path(path).is_dir()):
        raise InvalidInput(
            "MODEL_MISSING",
            f"there is no folder {path!r}; name what a trainer wrote, as in "
            f"{TRANSFORMERS}:var/runs/sunday/model",
        )
    return Path(path)


def size_bytes(path: Path) -> int:
    """Of a file, or of all files of a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(
        (Path(folder) / name).stat().st_size
        for folder, _, names in os.walk(path, followlinks=True)
        for name in names
    )


class EngineTranslator:
    """A runtime of the service, asked as the service asks it, without glossary and context.

    Args:
        files: where the model lies; None for one without files of its own.
    """

    def __init__(self, engine: Engine, pair: LanguagePair, model: str, files: Path | None) -> None:
        self.model = model
        self.size_bytes = size_bytes(files) if files is not None and files.exists() else None
        self._engine = engine
        self._pair = pair

    def translate(self, texts: Sequence[str], *, draft: bool = False) -> list[str]:
        return [each.text for each in self._renderings(texts, draft)]

    def renderings(self, texts: Sequence[str]) -> list[Rendering]:
        return self._renderings(texts, draft=False)

    def close(self) -> None:
        self._engine.close()

    def _renderings(self, texts: Sequence[str], draft: bool) -> list[Rendering]:
        answers = [Rendering("")] * len(texts)  # the service asks no engine about a blank text
        asked = [at for at, text in enumerate(texts) if text.strip()]
        size = self._engine.capabilities.max_batch
        for first in range(0, len(asked), size):
            batch = asked[first : first + size]
            tasks = [self._task(texts[at], draft) for at in batch]
            for at, rendering in zip(batch, self._engine.translate(tasks), strict=True):
                answers[at] = rendering
        return answers

    def _task(self, text: str, draft: bool) -> TextTask:
        return TextTask(Job(text, self._pair, draft=draft), Glossary(), deadline=None)
