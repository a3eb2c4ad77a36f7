"""Being stopped: SIGTERM, as systemd and `docker stop` send it, does what Ctrl-C does.

Whoever starts a job in the background of a shell has it ignore SIGINT: SIGTERM stops it all the
same. What must not be cut in two, such as a step of an optimiser, is held together by `whole`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

STOPPING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt(SIGTERM) in here; of no effect beside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, _: FrameType | None) -> None:
        raise KeyboardInterrupt(number)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def whole() -> Iterator[list[int]]:
    """What would stop the job does so behind the end of this; gives the signals as they come.

    Of no effect beside the main thread, which alone hears of signals.
    """
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {
        number: signal.signal(number, lambda number, _: asked.append(number)) for number in STOPPING
    }
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for each in asked:
            signal.raise_signal(each)


def exit_status(interrupt: KeyboardInterrupt) -> int:
    """As a shell has it: 128 and the signal."""
    return 128 + (interrupt.args[0] if interrupt.args else signal.SIGINT)
