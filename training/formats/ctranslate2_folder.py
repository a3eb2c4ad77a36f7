"""Marian and Whisper for CTranslate2, as services.marian and faster-whisper load them."""

from __future__ import annotations

from pathlib import Path

from services.errors import InvalidInput

# Beside what CTranslate2 writes itself. A model's own recogniser of languages and its alignment
# heads come with its configuration.
_COPIED = ("source.spm", "target.spm", "tokenizer.json", "preprocessor_config.json")


def convert(source: Path, out: Path, quantization: str) -> None:
    from ctranslate2.converters import TransformersConverter

    copied = [name for name in _COPIED if (source / name).exists()]
    if not copied:
        raise InvalidInput(
            "MODEL_MISSING", f"{source} has no tokenizer: neither source.spm nor tokenizer.json"
        )
    try:
        TransformersConverter(str(source), copy_files=copied).convert(
            str(out), quantization=quantization
        )
    except (ValueError, KeyError, OSError) as error:
        # Another kind of model, weights that are lacking, a word with no row in the embedding.
        raise InvalidInput(
            "MODEL_UNUSABLE",
            f"CTranslate2 cannot convert {source}: {error}. Its config.json, weights and tokenizer "
            "(vocab.json, *.spm) must be those that one trainer wrote together",
        ) from error
