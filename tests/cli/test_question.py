"""A question in a terminal, asked by a process of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

WAIT_S = 30

# Another thread takes the signal, so that no read of the first one is interrupted: the same as a
# Ctrl-C that comes just before that read, which nobody could time.
_ASKS = """
import os, signal, sys, threading
from cli.question import answer_to

def signalled():
    os.read(int(sys.argv[1]), 1)
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=signalled, daemon=True).start()
print("answer:", repr(answer_to("Really?")))
"""


class Asked:
    """A process that asks, and its terminal."""

    def __init__(self) -> None:
        self.terminal, theirs = pty.openpty()
        trigger, self._trigger = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", _ASKS, str(trigger)],
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=theirs,
            pass_fds=[trigger],
            start_new_session=True,
        )
        os.close(theirs)
        os.close(trigger)
        shown = b""
        while b"Really?" not in shown:
            shown += os.read(self.terminal, 1024)

    def interrupt(self) -> None:
        os.write(self._trigger, b".")

    def type(self, text: bytes) -> None:
        os.write(self.terminal, text)

    def answer(self) -> str:
        """What it got. Raises TimeoutExpired when it still waits."""
        return self.process.communicate(timeout=WAIT_S)[0].decode().strip()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.terminal)
        os.close(self._trigger)


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.close()


@pytest.mark.parametrize(
    ("act", "answer"),
    [
        (Asked.interrupt, None),
        (lambda asked: asked.type(b"\x04"), None),
        (lambda asked: asked.type(b" yes \n"), "yes"),
        (lambda asked: asked.type(b"\n"), ""),
    ],
    ids=["Ctrl-C that interrupts no read", "Ctrl-D", "a word", "nothing"],
)
def test_a_question_ends_with_what_is_typed(
    asked: Asked, act: Callable[[Asked], None], answer: str | None
) -> None:
    act(asked)
    assert asked.answer() == f"answer: {answer!r}"
