"""The lines of a text file."""

from __future__ import annotations

from pathlib import Path


def text_lines(path: Path) -> list[str]:
    """Its lines, without their ends. Raises OSError, UnicodeDecodeError.

    str.splitlines breaks at U+2028, U+0085 and others, too, which stand within texts.
    """
    with path.open(encoding="utf-8") as file:
        return [line.removesuffix("\n") for line in file]
