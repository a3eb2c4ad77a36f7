"""Sets of sentences that models are judged on, each of one register."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from services.errors import InvalidInput
from services.mt.engine import LanguagePair
from training.rows import Row, read_rows
from training.run_folder import fingerprint
from training.text_lines import text_lines

Register = Literal["biblical", "modern", "sermon"]
REGISTERS: tuple[Register, ...] = get_args(Register)
Variant = Literal["plain", "as_heard"]
OWN_SERMON = Path(__file__).with_name("sermon.en-es.jsonl")
_OWN_PAIR = LanguagePair("en", "es")
# Fewer groups than this say nothing about how groups differ.
LEAST_GROUPS = 5

# Marks but those within a word or a number: "don't", "12,450", "3:16".
_NOT_SPOKEN = re.compile(r"[^\w\s'’.,:]|(?<!\w)['’]|['’](?!\w)|(?<!\d)[.,:]|[.,:](?!\d)")


@dataclass(frozen=True)
class EvaluationSet:
    """Rows of one direction.

    Args:
        sha256: of the file.
    """

    name: str
    register: Register
    rows: tuple[Row, ...]
    sha256: str

    @property
    def units(self) -> tuple[int, ...]:
        """The unit of each row that is drawn whole when the set is resampled.

        Units are the groups where there are at least LEAST_GROUPS of them; else the sentences.
        """
        if not self.is_grouped:
            return tuple(range(len(self.rows)))
        groups = dict.fromkeys(row.group for row in self.rows)
        number = {group: at for at, group in enumerate(groups)}
        return tuple(number[row.group] for row in self.rows)

    @property
    def is_grouped(self) -> bool:
        groups = {row.group for row in self.rows}
        return "" not in groups and len(groups) >= LEAST_GROUPS


def read_set(
    named: str, pair: LanguagePair, *, limit: int | None = None, seed: int = 1
) -> EvaluationSet:
    """The set that "REGISTER=FILE" or "NAME:REGISTER=FILE" names: .jsonl rows of pairs, or a .tsv.

    Args:
        limit: how many rows at most, drawn by `seed` and kept in order.

    Raises:
        InvalidInput: BAD_SET, ROWS_MISSING, ROWS_DAMAGED.
    """
    name_and_register, separator, file = named.partition("=")
    name, _, register = name_and_register.partition(":")
    found: Register | None = next(
        (known for known in REGISTERS if known == (register or name)), None
    )
    if not (separator and name and file) or found is None:
        raise InvalidInput(
            "BAD_SET",
            f"{named!r} is neither REGISTER=FILE nor NAME:REGISTER=FILE with a register of "
            f"{', '.join(REGISTERS)}, as in modern=tatoeba.jsonl or hymns:biblical=hymns.jsonl",
        )
    path = Path(file)
    rows = [
        row
        for row in rows_of(path, pair)
        if (row.source_language, row.target_language) == (pair.source, pair.target)
    ]
    if not rows:
        raise InvalidInput("BAD_SET", f"{path} holds no rows {pair.source} to {pair.target}")
    if limit is not None and len(rows) > limit:
        kept = sorted(random.Random(seed).sample(range(len(rows)), limit))
        rows = [rows[at] for at in kept]
    return EvaluationSet(name, found, tuple(rows), fingerprint(path))


def read_sets(
    named: Sequence[str],
    pair: LanguagePair,
    *,
    with_own: bool = True,
    limit: int | None = None,
    seed: int = 1,
) -> list[EvaluationSet]:
    """The sets that are named, and Glossa's own fifty sentences where it has some for `pair`.

    Raises:
        InvalidInput: as `read_set` does; BAD_SET for two of one name.
    """
    sets = [read_set(each, pair, limit=limit, seed=seed) for each in named]
    if with_own and pair == _OWN_PAIR:
        sets.append(read_set(f"own-sermon:sermon={OWN_SERMON}", pair))
    if len({each.name for each in sets}) < len(sets):
        raise InvalidInput("BAD_SET", "two sets have one name; name them NAME:REGISTER=FILE")
    return sets


def rows_of(path: Path, pair: LanguagePair = _OWN_PAIR) -> Iterator[Row]:
    """Rows of pairs, or the lines of a .tsv: source, tab, translation."""
    if path.suffix != ".tsv":
        yield from read_rows(path)
        return
    try:
        lines = text_lines(path)
    except (OSError, ValueError) as error:
        raise InvalidInput("ROWS_MISSING", f"cannot read {path}: {error}") from error
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) < 2 or not all(cells[:2]):
            raise InvalidInput(
                "ROWS_DAMAGED", f"{path}, line {number}, is no source, a tab and its translation"
            )
        yield Row(cells[0], cells[1], "general", path.stem, "", 1.0, "", pair.source, pair.target)


def sources(rows: Sequence[Row], variant: Variant) -> list[str]:
    """What the models are given; without the tag of a register, which the service never sends."""
    return [as_heard(row.source) if variant == "as_heard" else row.source for row in rows]


def as_heard(text: str) -> str:
    """A text as many recognisers write it: lower case, no punctuation."""
    return " ".join(_NOT_SPOKEN.sub(" ", text).lower().split()) or text
