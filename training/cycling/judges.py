"""What a cycle's translator is judged by, a file for each register, none of it trained on.

<cycle>/judges/bible.jsonl       books of the Bible that training.bible kept apart
<cycle>/judges/everyday.jsonl    everyday language that training.mix kept apart
<cycle>/judges/held-out.jsonl    sermons of days that training.snapshot kept apart
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from training.evaluation.sets import Register
from training.rows import Kind, Row, write_rows

_REGISTERS: dict[str, Register] = {"bible": "biblical", "everyday": "modern", "held-out": "sermon"}
_NAMES: dict[Kind, str] = {"bible": "bible", "general": "everyday", "sermon": "held-out"}


def write_judges(folder: Path, rows: Iterable[Row]) -> None:
    """Parts rows by kind into the files; no file where there is nothing of a kind."""
    parted: dict[str, list[Row]] = {}
    for row in rows:
        if row.kind in _NAMES:
            parted.setdefault(_NAMES[row.kind], []).append(row)
    for name, found in parted.items():
        write_rows(folder / f"{name}.jsonl", found)


def judges(folder: Path) -> list[str]:
    """The sets that are there, as training.evaluate is told them."""
    return [
        f"{name}:{register}={folder / name}.jsonl"
        for name, register in _REGISTERS.items()
        if (folder / f"{name}.jsonl").exists()
    ]
