"""What a GGUF file says of itself, read without a library (the format is ggml's docs/gguf.md)."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

from services.errors import EngineFailed

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


@dataclass(frozen=True)
class GgufHeader:
    """What prompts are chosen by; empty or None where the file does not say it."""

    architecture: str
    name: str
    chat_template: str | None


def read_header(path: Path) -> GgufHeader:
    """Raises EngineFailed for a file that is no GGUF or that ends within its header."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data, path).header()
    except (struct.error, IndexError, OverflowError, ValueError) as error:
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
        texts: dict[str, str] = {}
        for _ in range(int(self._number("Q"))):
            key = self._string()
            value = self._value(int(self._number("I")))
            if value is not None:
                texts[key] = value
        return GgufHeader(
            texts.get("general.architecture", ""),
            texts.get("general.name", ""),
            texts.get("tokenizer.chat_template"),
        )

    def _value(self, kind: int) -> str | None:
        """Steps over a value; strings are returned."""
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            item_kind, count = int(self._number("I")), int(self._number("Q"))
            if item_kind in _NUMBERS:
                self._at += struct.calcsize("<" + _NUMBERS[item_kind]) * count
            else:
                for _ in range(count):
                    self._value(item_kind)
            return None
        if kind not in _NUMBERS:
            raise ValueError(f"unknown type {kind}")
        self._number(_NUMBERS[kind])
        return None

    def _number(self, code: str) -> float:
        (number,) = struct.unpack_from("<" + code, self._data, self._at)
        self._at += struct.calcsize("<" + code)
        return float(number) if code in "fd" else int(number)

    def _string(self) -> str:
        length = int(self._number("Q"))
        end = self._at + length
        if end > len(self._data):
            raise IndexError("the file ends within a string")
        text = self._data[self._at : end].decode("utf-8", errors="replace")
        self._at = end
        return text
