"""A pair of texts to train or judge on, and its line in a JSONL file.

The texts stand under their languages, as in the datasets of `./glossa queue snapshot`, whose
pairs.jsonl is read here, too: a row of its tiers "accepted" and "diversity" is of kind "sermon".

    {"en": "...", "es": "...", "source_language": "en", "target_language": "es", "kind": "bible",
     "origin": "WEB-RV1909", "group": "RUT", "weight": 1.0, "tag": "<archaic>"}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from services.errors import InvalidInput
from training.run_folder import whole_file

Kind = Literal["bible", "sermon", "glossary", "general"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Row:
    """One pair.

    Args:
        kind: what recipes mix by.
        origin: where exactly it comes from: two versions of the Bible, "tatoeba", a dataset's name.
        group: what is never parted between training and judging: a book, a session; "" for none.
        weight: its share in the loss, above 0.
        tag: a token that its source is told with, for a register that is asked for by name.
    """

    source: str
    target: str
    kind: Kind
    origin: str
    group: str = ""
    weight: float = 1.0
    tag: str = ""
    source_language: str = "en"
    target_language: str = "es"

    @property
    def tagged_source(self) -> str:
        """What the model reads."""
        return f"{self.tag} {self.source}" if self.tag else self.source


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file. Raises InvalidInput, naming the line."""
    return (row for row, _ in read_lines(path))


def read_lines(path: Path) -> Iterator[tuple[Row, dict[str, Any]]]:
    """The rows of a JSONL file, each with its whole JSON object. Raises InvalidInput as well."""
    try:
        # A line that is no UTF-8 is to be named as well, hence the bytes.
        lines = path.open("rb")
    except OSError as error:
        raise InvalidInput("ROWS_MISSING", f"cannot read {path}: {error.strerror}") from error
    with lines:
        for number, line in enumerate(lines, start=1):
            try:
                fields = json.loads(line)
                yield row_of(fields, default_origin=path.parent.name), fields
            except (
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                OverflowError,
                RecursionError,
            ) as error:
                raise InvalidInput(
                    "ROWS_DAMAGED", f"{path}, line {number}, is no row of a pair: {error!r}"
                ) from error


def row_of(fields: dict[str, Any], default_origin: str = "") -> Row:
    """A row from its JSON object; what it lacks is what a collected pair has.

    Raises ValueError, KeyError, TypeError, AttributeError or OverflowError for what is none.
    """
    source_language, target_language = fields["source_language"], fields["target_language"]
    kind: Kind = fields.get("kind") or ("general" if fields.get("tier") == "general" else "sermon")
    if kind not in KINDS:
        raise ValueError(f"its kind {kind!r} is none of {', '.join(KINDS)}")
    row = Row(
        source=fields[source_language].strip(),
        target=fields[target_language].strip(),
        kind=kind,
        origin=fields.get("origin") or default_origin,
        group=fields.get("group") or fields.get("session_id") or "",
        weight=float(fields.get("weight") or 1.0),
        tag=fields.get("tag") or "",
        source_language=source_language,
        target_language=target_language,
    )
    if not (row.source and row.target):
        raise ValueError("one of its texts is empty")
    return row


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Puts a JSONL file in its place in one step, when it is whole; how many rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with whole_file(path) as lines:
        for row in rows:
            fields = {
                row.source_language: row.source,
                row.target_language: row.target,
                "source_language": row.source_language,
                "target_language": row.target_language,
                "kind": row.kind,
                "origin": row.origin,
                "group": row.group,
                "weight": round(row.weight, 6),
                "tag": row.tag,
            }
            lines.write(json.dumps(fields, ensure_ascii=False).encode() + b"\n")
            count += 1
    return count
