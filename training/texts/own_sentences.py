"""Sentences of sermons with their translations, written for Glossa: parallel/*.tsv here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from training.rows import Row
from training.text_lines import text_lines

FOLDER = Path(__file__).with_name("parallel")
ORIGIN = "glossa-parallel"


def own_sentences() -> Iterator[Row]:
    """Their rows; a file's first line names its languages. Licence: the project's."""
    for path in sorted(FOLDER.glob("*.en-es.tsv")):
        lines = text_lines(path)
        for line in lines[1:]:
            english, spanish = line.split("\t")
            yield Row(english, spanish, "sermon", ORIGIN)
