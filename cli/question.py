"""A question in the terminal that Ctrl-C ends at once, whenever it comes."""

from __future__ import annotations

import select
import signal
import socket
import sys

import click


def answer_to(question: str) -> str | None:
    """The line that is typed, without the space around it; None for Ctrl-C, Ctrl-D and no input."""
    try:
        click.echo(f"{question} ", nl=False, err=True)
        if sys.stdin.isatty():
            _wait_until_typed()
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        line = ""
    return line.strip() if line else None


def _wait_until_typed() -> None:
    """Returns when a line can be read, and raises KeyboardInterrupt on Ctrl-C.

    A read alone would miss a Ctrl-C that comes before the system has begun it: Python looks for
    signals ahead of that, and the system interrupts only what has begun. Here a signal writes to a
    socket that is waited for, too.
    """
    signalled, written_to = socket.socketpair()
    with signalled, written_to:
        written_to.setblocking(False)
        before = signal.set_wakeup_fd(written_to.fileno())
        try:
            while sys.stdin not in select.select([sys.stdin, signalled], [], [])[0]:
                signalled.recv(1)  # Python raises what SIGINT means before it comes back here
        finally:
            signal.set_wakeup_fd(before)
