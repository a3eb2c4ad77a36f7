"""The lines of a text file."""

from __future__ import annotations

from pathlib import Path

# What reading fields out of JSON raises where it is of another shape, or nested by the thousand.
WRONG_SHAPE = (
    *(ValueError, LookupError, TypeError, AttributeError),
    *(OSError, OverflowError, RecursionError),  # OSError: a name that no file can have
)


def text_lines(path: Path) -> list[str]:
    """Its lines, without their ends. Raises OSError, UnicodeDecodeError.

    str.splitlines breaks at U+2028, U+0085 and others, too, which stand within texts.
    """
    with path.open(encoding="utf-8") as file:
        return [line.removesuffix("\n") for line in file]
