"""What a model's folder holds beside its weights: tokenizer, template, how it generates."""

from __future__ import annotations

import shutil
from pathlib import Path

NAMES = (
    *("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json"),
    *("added_tokens.json", "chat_template.jinja", "chat_template.json", "generation_config.json"),
    *("preprocessor_config.json", "processor_config.json", "vocab.json", "merges.txt"),
    *("source.spm", "target.spm", "normalizer.json"),
)


def copy(source: Path, out: Path) -> None:
    """Brings those that `out` lacks."""
    for name in NAMES:
        if (source / name).exists() and not (out / name).exists():
            shutil.copyfile(source / name, out / name)
