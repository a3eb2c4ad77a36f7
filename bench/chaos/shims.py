"""A program on the PATH of a stack's processes that can be broken and mended while they run."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from services.errors import Unavailable


class Shims:
    """A folder with one program that passes everything on to the real one."""

    def __init__(self, folder: Path, program: str, by: str = "") -> None:
        """
        Args:
            by: a command that starts the real one: "env -u NAME".

        Raises:
            Unavailable: TOOL_MISSING.
        """
        real = shutil.which(program)
        if real is None:
            raise Unavailable("TOOL_MISSING", f"{program} is not installed")
        self.folder = folder
        self._path = folder / program
        self._passing_on = f'#!/bin/sh\nexec {by} {real} "$@"\n'
        folder.mkdir()
        self._write(self._passing_on)

    @contextlib.contextmanager
    def broken(self) -> Iterator[None]:
        """It ends at once with an error, whoever starts it."""
        self._write("#!/bin/sh\nexit 1\n")
        try:
            yield
        finally:
            self._write(self._passing_on)

    def _write(self, script: str) -> None:
        beside = self._path.with_suffix(".new")
        beside.write_text(script)
        beside.chmod(0o755)
        beside.replace(self._path)
