"""Fuzzes the parsers by coverage, with libFuzzer through atheris (pip install atheris).

    python -m tests.fuzz.atheris_parsers "gguf header" -max_total_time=60 CORPUS

Without a name the first byte of an input chooses the parser. The folder CORPUS gets the parsers'
seeds, and what libFuzzer finds worth keeping. It stops at the first error that no parser
should raise, prints it, and writes the input that led to it beside.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> None:
    import atheris
    import structlog

    own = ["services", "cli", "dashboard", "training"]
    with atheris.instrument_imports(include=own):
        from tests.fuzz.parsers import PARSERS

    # Thousands of inputs a second: what is logged of them is of no use.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    named = [parser for parser in PARSERS if parser.name in sys.argv[1:]]
    arguments = [each for each in sys.argv if each not in {parser.name for parser in named}]
    parsers = named or list(PARSERS)

    for folder in filter(Path.is_dir, map(Path, arguments[1:])):
        for index, parser in enumerate(parsers):
            for number, seed in enumerate(parser.seeds):
                (folder / f"seed-{index}-{number}").write_bytes(bytes([index]) + seed)

    def once(data: bytes) -> None:
        if data:
            parsers[data[0] % len(parsers)](data[1:])

    atheris.Setup(arguments, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
