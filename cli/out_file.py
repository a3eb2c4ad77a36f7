"""The file that a verb writes, or stdout."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click


@contextlib.contextmanager
def out_file(out: str) -> Iterator[BinaryIO]:
    """Where to write; a file is replaced in one step at the end, and only when all went well."""
    import os
    import sys

    path = Path(os.path.realpath(out))
    try:
        if out == "-":
            yield sys.stdout.buffer
        elif path.exists() and not path.is_file():  # a pipe or a device cannot be replaced
            with path.open("wb") as stream:
                yield stream
        else:
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            try:
                with part.open("wb") as stream:
                    yield stream
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    except (BrokenPipeError, TimeoutError):
        raise  # a reader that has seen enough (click ends quietly), a silent collector
    except OSError as error:
        raise click.ClickException(f"cannot write {out}: {error.strerror or error}") from error
