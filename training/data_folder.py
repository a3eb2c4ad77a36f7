"""The folder of public texts and speech that training is given with `--data`.

    bible/verses.jsonl.gz      a verse a line: verse_id, split, one field a version
    tatoeba/{train,dev,test}.tsv
    glossary/{core_en_es,book_names,asr_confusions}.tsv
    sermons/*_sentences.txt
    speech/manifest.jsonl

Glossa does not come with it; docs/training.md says what it holds and under which licences.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from services.errors import InvalidInput


@dataclass(frozen=True)
class DataFolder:
    path: Path

    def verses(self) -> Iterator[dict[str, Any]]:
        """Verses in the order of the canon. `split` is train, dev or test, by whole book."""
        with self._open("bible/verses.jsonl.gz") as lines:
            for line in lines:
                yield json.loads(line)

    def tatoeba(self, split: str) -> Iterator[tuple[str, str]]:
        """English and Spanish sentences of everyday language; `split`: train, dev or test."""
        with self._open(f"tatoeba/{split}.tsv") as lines:
            for line in lines:
                english, spanish = line.rstrip("\n").split("\t")[:2]
                yield english, spanish

    def table(self, name: str) -> list[dict[str, str]]:
        """Rows of glossary/<name>.tsv by its first line's names."""
        with self._open(f"glossary/{name}.tsv") as lines:
            return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))

    def sentences(self, name: str) -> list[str]:
        """Sentences of sermons/<name>_sentences.txt: "spurgeon", "state_union_modern"."""
        with self._open(f"sermons/{name}_sentences.txt") as lines:
            return [line.strip() for line in lines if line.strip()]

    def speech(self) -> Iterator[dict[str, Any]]:
        """Clips of human speech: file (below speech/), lang, text, duration_s, speaker, licence."""
        with self._open("speech/manifest.jsonl") as lines:
            for line in lines:
                yield json.loads(line)

    def _open(self, name: str) -> TextIO:
        path = self.path / name
        try:
            if path.suffix == ".gz":
                return gzip.open(path, "rt", encoding="utf-8")
            return path.open(encoding="utf-8")
        except OSError as error:
            raise InvalidInput(
                "DATA_MISSING",
                f"cannot read {path}: {error.strerror}; --data names the folder of public texts "
                "that docs/training.md describes",
            ) from error
