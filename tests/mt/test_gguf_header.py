"""A GGUF file says what it likes of itself: it is read within its bounds, or refused."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest

from services.errors import EngineFailed
from services.mt.engines.gguf_header import GgufHeader, read_header

U8, U32, FLOAT32, BOOL, STRING, ARRAY, U64 = 0, 4, 6, 7, 8, 9, 10


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, count: int, items: bytes) -> bytes:
    return struct.pack("<IQ", kind, count) + items


def whole(*entries: bytes, count: int | None = None) -> bytes:
    """A file with these entries and no tensors."""
    said = len(entries) if count is None else count
    return b"GGUF" + struct.pack("<IQQ", 3, 0, said) + b"".join(entries)


def read(tmp_path: Path, data: bytes) -> GgufHeader:
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return read_header(path)


NAMED = entry("general.name", STRING, text("a model"))
TOKENS = ("<|im_start|>", "<|im_end|>", "word", "<|turn>" * 100)
VOCABULARY = entry(
    "tokenizer.ggml.tokens", ARRAY, array(STRING, len(TOKENS), b"".join(map(text, TOKENS)))
)


def test_what_prompts_are_chosen_by_is_read_whatever_stands_between(tmp_path: Path) -> None:
    header = read(
        tmp_path,
        whole(
            entry("gemma3.block_count", U32, struct.pack("<I", 512)),
            entry("scores", ARRAY, array(FLOAT32, 3, bytes(12))),
            VOCABULARY,
            entry("merges", ARRAY, array(STRING, 2, text("a b") + text(""))),
            entry("flag", BOOL, b"\7"),
            NAMED,
            entry("tokenizer.chat_template", STRING, text("{{ a }}")),
            entry("general.alignment", U32, struct.pack("<I", 64)),
        ),
    )
    assert header == GgufHeader("", "a model", "{{ a }}", frozenset(TOKENS[:2]))


@pytest.mark.parametrize(
    "data",
    [
        whole(NAMED, count=2),
        whole(NAMED, count=2**63),
        whole(struct.pack("<Q", 2**62) + b"name"),
        whole(struct.pack("<Q", 2**64 - 1) + b"name"),
        whole(entry("a", ARRAY, array(STRING, 2**61, text("b")))),
        whole(entry("a", ARRAY, array(FLOAT32, 2**61, b""))),
        whole(entry("a", ARRAY, array(U64, 2**64 - 1, b""))),
        whole(entry("a", ARRAY, array(ARRAY, 1, array(U8, 1, b"b")))),
        whole(entry("a", ARRAY, array(ARRAY, 1, b"") * 5000)),
        whole(entry("a", 77, bytes(100))),
        whole(entry("tokenizer.ggml.tokens", ARRAY, array(U32, 1, bytes(4)))),
        *(whole(VOCABULARY, NAMED)[:kept] for kept in (0, 4, 8, 20, 30, 60, 100)),
    ],
)
def test_counts_lengths_and_kinds_that_the_file_does_not_hold_are_refused(
    tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(EngineFailed, match="is damaged"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("key", "kind", "value", "said"),
    [
        ("gemma3.block_count", U32, struct.pack("<I", 0), "block_count = 0"),
        ("gemma3.block_count", U32, struct.pack("<I", 513), "block_count = 513"),
        ("gemma3.block_count", U64, struct.pack("<Q", 2**63), "block_count = "),
        ("gemma3.context_length", U32, struct.pack("<I", 0), "context_length = 0"),
        ("gemma3.context_length", U32, struct.pack("<I", 2**31), "context_length = 2147483648"),
        ("gemma3.expert_count", U32, struct.pack("<I", 513), "expert_count = 513"),
        ("gemma3.expert_used_count", U32, struct.pack("<I", 2**31), "expert_used_count = "),
        ("gemma3.rope.dimension_count", U32, struct.pack("<I", 3), "dimension_count = 3"),
        ("gemma3.norm_epsilon", FLOAT32, struct.pack("<f", -1.0), "norm_epsilon = -1"),
        ("general.alignment", U32, struct.pack("<I", 1), "alignment = 1"),
        ("general.alignment", U32, struct.pack("<I", 16), "alignment = 16"),
        ("gemma3.norm_eps", FLOAT32, struct.pack("<f", float("nan")), "norm_eps = nan"),
        ("tokenizer.ggml.model", STRING, text("bert"), "model = bert"),
    ],
)
def test_what_ends_the_process_in_llama_cpp_is_refused_before(
    tmp_path: Path, key: str, kind: int, value: bytes, said: str
) -> None:
    with pytest.raises(EngineFailed, match=said):
        read(tmp_path, whole(NAMED, entry(key, kind, value)))


def test_a_large_file_of_nothing_but_texts_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    length = 64 * 1024 * 1024
    ends = struct.pack("<Q", length)
    with path.open("wb") as file:  # the texts themselves are holes
        file.write(whole(count=3) + text("other") + struct.pack("<I", STRING) + ends)
        file.seek(length, 1)
        file.write(text("tokenizer.ggml.tokens") + struct.pack("<IIQ", ARRAY, STRING, 1) + ends)
        file.seek(length, 1)
        file.write(text("tokenizer.chat_template") + struct.pack("<I", STRING) + ends)
        file.truncate(file.tell() + length)
    tracemalloc.start()
    with pytest.raises(EngineFailed, match="is damaged"):
        read_header(path)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1024 * 1024
