"""A parser as fuzzing sees it: one function of bytes that answers or refuses."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.errors import GlossaError


@dataclass(frozen=True)
class Parser:
    """One parser.

    Args:
        refusals: the errors that it says it raises, besides GlossaError.
        seeds: inputs that it takes, from which others are made.
    """

    name: str
    parse: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()
    seeds: tuple[bytes, ...] = ()

    def __call__(self, data: bytes) -> bool:
        """Whether the parser took `data`; raises what it should not have raised."""
        try:
            self.parse(data)
        except (GlossaError, *self.refusals):
            return False
        return True


def of_text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", errors="replace"))


def of_file(read: Callable[[Path], object], name: str = "input") -> Callable[[bytes], object]:
    def parse(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            return read(path)

    return parse
