"""The sentences that an export is checked with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from services.errors import InvalidInput
from services.mt.engine import LanguagePair
from training.evaluation.sets import OWN_SERMON
from training.rows import read_rows


@dataclass(frozen=True)
class CheckTexts:
    """Sentences and, where a person translated them, their translations, in the same order."""

    sources: tuple[str, ...]
    references: tuple[str, ...] = ()


def check_texts(path: Path | None, pair: LanguagePair) -> CheckTexts:
    """Those of a file, or fifty of our own.

    Args:
        path: .jsonl rows of pairs, .tsv (source, tab, reference), or a plain list of sentences.

    Raises:
        InvalidInput: NO_TEXTS, ROWS_MISSING, ROWS_DAMAGED.
    """
    if path is None:
        path = OWN_SERMON
    rows: list[tuple[str, str]] = []
    if path.suffix == ".jsonl":
        for row in read_rows(path):
            languages = row.source_language, row.target_language
            if languages == (pair.source, pair.target):
                rows.append((row.source, row.target))
            elif languages == (pair.target, pair.source):
                rows.append((row.target, row.source))
    else:
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise InvalidInput("ROWS_MISSING", f"cannot read {path}: {error}") from error
        cells = [line.split("\t") for line in lines if line.strip()]
        rows = [(row[0].strip(), row[1].strip() if len(row) > 1 else "") for row in cells]
    if not rows:
        raise InvalidInput("NO_TEXTS", f"there is no sentence for {pair} in {path}")
    references = tuple(reference for _, reference in rows if reference)
    if references and len(references) < len(rows):
        raise InvalidInput(
            "ROWS_DAMAGED", f"some sentences of {path} have a translation and some have none"
        )
    return CheckTexts(tuple(source for source, _ in rows), references)
