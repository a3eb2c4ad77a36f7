"""What a reviewer types: one key on a terminal, one line of anything else."""

from __future__ import annotations

import contextlib
import os
import sys
import termios
import tty
from collections import deque
from collections.abc import Iterator

_ESCAPE = 0x1B
_READ_BYTES = 64


class Keyboard:
    """Reads stdin: keys and edited lines from a terminal, else a line for each.

    On a terminal use it within `reading`: keys that come before they are asked for are kept.
    """

    def __init__(self) -> None:
        self._is_terminal = sys.stdin.isatty()
        self._typed: deque[str] = deque()

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Takes keys one by one and unseen; Ctrl-C still interrupts."""
        if not self._is_terminal:
            yield
            return
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        tty.setcbreak(descriptor, termios.TCSADRAIN)
        try:
            yield
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def key(self) -> str:
        """The next key, small; empty at the end of the input."""
        return self._pressed() if self._is_terminal else self._first_of_line()

    def _pressed(self) -> str:
        while not self._typed:
            data = os.read(sys.stdin.fileno(), _READ_BYTES)
            if not data or data == b"\x04":  # Ctrl-D
                return ""
            # An arrow comes as several characters, none of which was meant.
            self._typed.extend("?" if data[0] == _ESCAPE else data.decode(errors="replace"))
        return self._typed.popleft().lower()

    @staticmethod
    def _first_of_line() -> str:
        while line := sys.stdin.readline():
            if line.strip():
                return line.strip()[0].lower()
        return ""

    def edited(self, prompt: str, text: str) -> str:
        """A text as the reviewer makes it; the same one when they leave it or empty it.

        On a terminal the line stands there to be changed, with readline's keys.
        """
        if not self._is_terminal:
            return sys.stdin.readline().strip() or text
        import readline

        readline.set_startup_hook(lambda: readline.insert_text(text))
        try:
            return input(prompt).strip() or text
        except EOFError:
            return text
        finally:
            readline.set_startup_hook(None)
