"""What a GGUF file says of itself, read without a library (the format is ggml's docs/gguf.md)."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from services.errors import EngineFailed
from services.mt.prompt_family import MARKERS

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
# Value type -> struct code; 8 is a string, 9 an array.
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
_TEXTS = ("general.architecture", "general.name", "tokenizer.chat_template")
_TOKENS = "tokenizer.ggml.tokens"
_MARKERS = {marker.encode(): marker for marker in MARKERS}


@dataclass(frozen=True)
class GgufHeader:
    """What prompts are chosen by; empty or None where the file does not say it.

    Args:
        markers: those of prompt_family.MARKERS that are tokens of its vocabulary.
    """

    architecture: str
    name: str
    chat_template: str | None
    markers: frozenset[str]


def read_header(path: Path) -> GgufHeader:
    """Raises EngineFailed for a file that is no GGUF or that ends within its header."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data, path).header()
    except (struct.error, LookupError, OverflowError, ValueError) as error:
        raise EngineFailed(
            f"{path} is damaged or was not downloaded to its end: ./glossa models verify",
            engine="gguf",
        ) from error
    except OSError as error:
        raise EngineFailed(f"{path} cannot be read: {error}", engine="gguf") from error


class _Reader:
    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data = data
        self._path = path
        self._at = 0

    def header(self) -> GgufHeader:
        if self._data[:4] != _MAGIC:
            raise EngineFailed(
                f"{self._path} is not a GGUF file; the runtime gguf needs one whose name ends in "
                ".gguf",
                engine="gguf",
            )
        self._at = 4
        version = self._number("I")
        if version not in _VERSIONS:
            raise EngineFailed(
                f"{self._path} is GGUF of version {version}; get one of version 3", engine="gguf"
            )
        self._number("Q")  # how many tensors
        # Whatever counts and lengths are written there, no more is read than the file holds, and
        # no more kept than these.
        texts: dict[str, str] = {}
        markers: frozenset[str] = frozenset()
        for _ in range(self._number("Q")):
            key = self._string()
            kind = self._number("I")
            if kind == _STRING and key in _TEXTS:
                texts[key] = self._string()
            elif kind == _ARRAY and key == _TOKENS:
                markers = self._markers()
            else:
                self._step_over(kind)
        return GgufHeader(
            texts.get("general.architecture", ""),
            texts.get("general.name", ""),
            texts.get("tokenizer.chat_template"),
            markers,
        )

    def _markers(self) -> frozenset[str]:
        if self._number("I") != _STRING:
            raise ValueError("the vocabulary is none of texts")
        tokens = (self._bytes() for _ in range(self._number("Q")))
        return frozenset(_MARKERS[token] for token in tokens if token in _MARKERS)

    def _step_over(self, kind: int) -> None:
        if kind == _STRING:
            self._skip(self._number("Q"))
        elif kind == _ARRAY:
            item_kind, count = self._number("I"), self._number("Q")
            if item_kind == _STRING:
                for _ in range(count):
                    self._skip(self._number("Q"))
            else:  # llama.cpp knows no arrays of arrays either
                self._skip(struct.calcsize(_NUMBERS[item_kind]) * count)
        else:
            self._skip(struct.calcsize(_NUMBERS[kind]))

    def _number(self, code: str) -> int:
        (number,) = struct.unpack_from("<" + code, self._data, self._at)
        self._at += struct.calcsize("<" + code)
        return int(number)

    def _string(self) -> str:
        return self._bytes().decode("utf-8", errors="replace")

    def _bytes(self) -> bytes:
        length = self._number("Q")
        start = self._at
        self._skip(length)
        return self._data[start : self._at]

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise IndexError("the file ends within a value")
