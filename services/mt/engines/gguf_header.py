"""What a GGUF file says of itself, read without a library (the format is ggml's docs/gguf.md)."""

from __future__ import annotations

import math
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
_VOCABULARY = "tokenizer.ggml.model"
_TEXTS = ("general.architecture", "general.name", "tokenizer.chat_template", _VOCABULARY)
_TOKENS = "tokenizer.ggml.tokens"
# Far more than any model has, so that a large file of nothing else costs neither hours nor memory.
_KEY_BYTES, _TEXT_BYTES, _TEXT_COUNT = 65_535, 1024 * 1024, 10_000_000
# By the end of a key: what else llama.cpp ends the whole process for (GGML_ASSERT), as found by
# giving it such files. The limits of layers and experts are its LLAMA_MAX_LAYERS and _EXPERTS.
_RANGES = {
    "general.alignment": range(32, 2**20, 32),
    ".block_count": range(1, 513),
    ".context_length": range(1, 2**31),
    ".expert_count": range(513),
    ".expert_used_count": range(513),
    ".rope.dimension_count": range(0, 2**16, 2),
}
_WORDPIECE = "bert"  # of models that read and never write
_MARKERS = {marker.encode(): marker for marker in MARKERS}
_MARKER_BYTES = max(map(len, _MARKERS))


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
        version = self._kind()
        if version not in _VERSIONS:
            raise EngineFailed(
                f"{self._path} is GGUF of version {version}; get one of version 3", engine="gguf"
            )
        self._count()  # how many tensors
        # Whatever counts and lengths are written there, no more is read than the file holds, and
        # no more kept than these.
        texts: dict[str, str] = {}
        markers: frozenset[str] = frozenset()
        for _ in range(self._text_count()):
            key = self._string(_KEY_BYTES)
            kind = self._kind()
            if kind == _STRING and key in _TEXTS:
                texts[key] = self._string(_TEXT_BYTES)
            elif kind == _ARRAY and key == _TOKENS:
                markers = self._markers()
            elif kind in _NUMBERS:
                self._check(key, self._number(_NUMBERS[kind]))
            else:
                self._step_over(kind)
        if texts.get(_VOCABULARY) == _WORDPIECE:
            raise self._impossible(_VOCABULARY, _WORDPIECE)
        return GgufHeader(
            texts.get("general.architecture", ""),
            texts.get("general.name", ""),
            texts.get("tokenizer.chat_template"),
            markers,
        )

    def _markers(self) -> frozenset[str]:
        if self._kind() != _STRING:
            raise ValueError("the vocabulary is none of texts")
        found = set()
        for _ in range(self._text_count()):
            text = self._text()
            if text.stop - text.start <= _MARKER_BYTES and (token := self._data[text]) in _MARKERS:
                found.add(_MARKERS[token])
        return frozenset(found)

    def _step_over(self, kind: int) -> None:
        if kind == _STRING:
            self._text()
        elif kind != _ARRAY:
            raise ValueError(f"unknown type {kind}")
        elif (item_kind := self._kind()) == _STRING:
            for _ in range(self._text_count()):
                self._text()
        else:  # llama.cpp knows no arrays of arrays either
            self._skip(struct.calcsize(_NUMBERS[item_kind]) * self._count())

    def _check(self, key: str, number: float) -> None:
        allowed = next((each for end, each in _RANGES.items() if key.endswith(end)), None)
        is_below = key.endswith("epsilon") and number < 0
        if math.isnan(number) or is_below or (allowed is not None and number not in allowed):
            raise self._impossible(key, number)

    def _impossible(self, key: str, value: object) -> EngineFailed:
        return EngineFailed(
            f"{self._path} says {key} = {value}, which no model that translates has: get another "
            "file",
            engine="gguf",
        )

    def _count(self) -> int:
        return int(self._number("Q"))

    def _kind(self) -> int:
        return int(self._number("I"))

    def _number(self, code: str) -> float:
        (number,) = struct.unpack_from("<" + code, self._data, self._at)
        self._at += struct.calcsize("<" + code)
        return number if code in "fd" else int(number)

    def _text_count(self) -> int:
        count = self._count()
        if count > _TEXT_COUNT:
            raise ValueError(f"{count} texts")
        return count

    def _string(self, limit_bytes: int) -> str:
        text = self._text()
        if text.stop - text.start > limit_bytes:
            raise ValueError("a text is longer than any model's")
        return self._data[text].decode("utf-8", errors="replace")

    def _text(self) -> slice:
        """Where the next one lies."""
        length = self._count()
        start = self._at
        self._skip(length)
        return slice(start, self._at)

    def _skip(self, count: int) -> None:
        self._at += count
        if self._at > len(self._data):
            raise IndexError("the file ends within a value")
