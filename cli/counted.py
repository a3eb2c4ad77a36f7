"""Numbers before nouns."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """As in "1 final" and "2 finals"; of nouns that take an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
