"""A parser answers or refuses, whatever it is given; see tests/fuzz/parsers.py."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS, Parser

# A long run: GLOSSA_FUZZ_SECONDS=600 goes on with other examples for that long, shared by all.
_SECONDS = float(os.environ.get("GLOSSA_FUZZ_SECONDS", "0"))
_EXAMPLES = 200
_DEEP = (b"[" * 5000, b'{"a":' * 5000, b"(" * 5000, b"a = " + b"[" * 5000)
_TOKENS = st.sampled_from(
    (
        b"\0",
        b"\xff",
        b"\t",
        b"\n",
        b'"',
        b"[",
        b"null",
        b"1e999",
        b"NaN",
        b"9" * 5000,
        b"9" * 400,
        b"[1]",
        b"\\ud800",
        b"-1",
        b"../",
    )
)


def inputs(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Anything, and inputs that are right but for a part of them."""
    anything = st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode))
    if not seeds:
        return anything

    @st.composite
    def damaged(draw: st.DrawFn) -> bytes:
        data = draw(st.sampled_from(seeds))
        for _ in range(draw(st.integers(0, 3))):
            start = draw(st.integers(0, len(data)))
            end = min(len(data), start + draw(st.integers(0, 8)))
            data = data[:start] + draw(st.one_of(_TOKENS, st.binary(max_size=6))) + data[end:]
        return data

    return st.one_of(damaged(), damaged(), anything)


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_parser_takes_its_seeds(parser: Parser) -> None:
    assert parser.seeds
    assert [seed for seed in parser.seeds if not parser(seed)] == []


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_a_parser_answers_or_refuses(parser: Parser) -> None:
    @settings(
        max_examples=_EXAMPLES,
        derandomize=_SECONDS == 0,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(parser.seeds))
    def holds(data: bytes) -> None:
        parser(data)

    gives_up_at = time.monotonic() + _SECONDS / len(PARSERS)
    holds()
    while time.monotonic() < gives_up_at:
        holds()


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
@pytest.mark.parametrize("data", _DEEP, ids=lambda data: data[:5].decode())
def test_a_parser_answers_or_refuses_what_is_nested_deeply(parser: Parser, data: bytes) -> None:
    parser(data)
