"""What fuzzing found, each as the input that led to it."""

from __future__ import annotations

import pytest

from tests.fuzz.parsers import PARSERS

_BY_NAME = {parser.name: parser for parser in PARSERS}
_NESTED = "[" * 5000
_HUGE = b"9" * 400  # an integer that no float holds


def _with(name: str, field: str, value: str) -> bytes:
    """The seed of a Redis entry with one field replaced."""
    lines = _BY_NAME[name].seeds[0].decode().split("\n")
    kept = [line for line in lines if not line.startswith(f"{field}\t")]
    assert len(kept) < len(lines)
    return "\n".join((*kept, f"{field}\t{value}")).encode()


def _replaced(name: str, part: bytes, by: bytes) -> bytes:
    """The first seed of a parser with a part replaced."""
    seed = _BY_NAME[name].seeds[0]
    assert part in seed
    return seed.replace(part, by)


def _wav(bits: int) -> bytes:
    """The seed of a recording that says something else of its samples."""
    seed = _BY_NAME["recording"].seeds[0]
    return seed[:34] + bits.to_bytes(2, "little") + seed[36:]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("training rows", b"\x80"),
        ("training rows", _NESTED.encode()),
        ("exported pairs", _NESTED.encode()),
        ("general jsonl", _NESTED.encode()),
        ("redis entry", _with("redis entry", "caps", _NESTED)),
        ("redis entry", _with("redis entry", "signals", _NESTED)),
        ("redis review", _with("redis review", "flags", _NESTED)),
        ("tokens", f"a = {_NESTED}".encode()),
        ("cycle plan", f"a = {_NESTED}".encode()),
        ("gate", f"a = {_NESTED}".encode()),
        ("model folder", b"PK\3\4"),
        ("model name", b"a" * 5000),
        ("model name", b"a\0b"),
        ("recording", _wav(40_000)),  # 40,000 bits a sample
        ("profile", b"A=\xff"),
        ("profile", b"A=\0"),
        ("training rows", _replaced("training rows", b"1.0", _HUGE)),
        ("redis entry", _with("redis entry", "caps", "[1]")),
        ("redis entry", _with("redis entry", "missing_terms", "[[1, 2]]")),
        ("redis review", _with("redis review", "flags", "[1]")),
        ("browser config", b'{"\\ud800": 1}'),
        ("cycle plan", _replaced("cycle plan", b'"marian"', b"[]")),
        ("cycle plan", _replaced("cycle plan", b'"${A:-b}"', b"1")),
        ("cycle plan", _replaced("cycle plan", b'model = "."', rb'model = "\u0000"')),
        ("gate", b"check = 1"),
        ("edge cases", b"\x80"),
        ("edge cases", _NESTED.encode()),
        ("clips", b"\x80"),
        ("clips", _NESTED.encode()),
        ("clips", _replaced("clips", b"0.5", _HUGE)),
        ("recordings", b"\x80"),
        ("recordings", _replaced("recordings", b"a.wav", b"9" * 5000)),
        ("recordings", _replaced("recordings", b"0.5", _HUGE)),
        ("accents", _replaced("accents", b"a.wav", b"\0")),
        ("reviewed pairs", b"\x80"),
        ("reviewed pairs", _NESTED.encode()),
        ("weights list", _replaced("weights list", b"b.safe", b"9" * 5000)),
        ("weights list", _replaced("weights list", b"b.safe", b"\\ud800")),
        ("hosts", f"a = {_NESTED}".encode()),
        ("hosts", _replaced("hosts", b'"glossa@booth.local"', b"1")),
        ("session report", b"[]"),
        ("session report", _NESTED.encode()),
        ("session report", _replaced("session report", b"+00:00", b"")),
        ("session report", _replaced("session report", b"900.5", b"NaN")),
        ("obs message", b'{"op": 0, "d": []}'),
        ("obs message", _NESTED.encode()),
        ("obs message", _replaced("obs message", b'"s"', b"1")),
        ("propresenter messages", b'[{"id": "a"}]'),
        ("propresenter messages", _replaced("propresenter messages", b"0A1B-2", b"../../a")),
        ("metrics page", b"a " + _HUGE),
        ("metrics page", _replaced("metrics page", b',le="1.0"', b"")),
        ("gate", _replaced("gate", b"least = -1", b"least = " + _HUGE)),
    ],
)
def test_an_input_that_once_broke_a_parser_is_refused(name: str, data: bytes) -> None:
    assert not _BY_NAME[name](data) or name == "model folder"
