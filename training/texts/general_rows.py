"""Everyday language as rows: it keeps a model from forgetting how people speak on weekdays."""

from __future__ import annotations

from training.data_folder import DataFolder
from training.rows import Row
from training.texts.verse_text import spoken

ORIGIN = "tatoeba"
LICENCE = "CC BY 2.0 FR, tatoeba.org"


def general_rows(folder: DataFolder, split: str) -> list[Row]:
    """All sentences of a split: train, dev or test."""
    return [Row(spoken(en), spoken(es), "general", ORIGIN) for en, es in folder.tatoeba(split)]
