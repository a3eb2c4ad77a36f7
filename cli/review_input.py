"""What a reviewer types: one key on a terminal, one line of anything else."""

from __future__ import annotations

import sys

import click


class Keyboard:
    """Reads stdin: keys and edited lines from a terminal, else a line for each."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdin.isatty()

    def key(self) -> str:
        """The next key, small; empty at the end of the input."""
        if self._is_terminal:
            try:
                return click.getchar().lower()
            except EOFError:
                return ""
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
