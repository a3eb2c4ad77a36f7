"""Runs a verb's coroutine; Ctrl-C and SIGTERM end it in good order, a second one in a hurry.

Errors with a stable reason become one line on stderr and an exit status: 2 for wrong input, else 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from services.errors import GlossaError, InvalidInput

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_handlers: list[
    Callable[[], object]
] = []  # the last one is called; a process has one set of signals


def run_until_signalled(main: Coroutine[Any, Any, int | None], signalled_status: int = 0) -> None:
    """Exits with the coroutine's result (0 for None), or with `signalled_status` after a signal."""
    try:
        status = asyncio.run(_cancelled_by_signals(main, signalled_status))
    except GlossaError as error:
        sys.stderr.write(f"glossa: {error.message} [{error.reason}]\n")
        status = 2 if isinstance(error, InvalidInput) else 1
    except KeyboardInterrupt:  # before the loop's own handler was there
        status = 130
    sys.stdout.flush()
    raise SystemExit(status or 0)


@contextlib.contextmanager
def on_signal(handler: Callable[[], object]) -> Iterator[None]:
    """Until exit, a signal calls `handler`, not that of an `on_signal` around this one."""
    loop = asyncio.get_running_loop()
    _handlers.append(handler)
    for number in _SIGNALS:
        loop.add_signal_handler(number, lambda: _handlers[-1]())
    try:
        yield
    finally:
        _handlers.pop()
        if not _handlers:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


async def _cancelled_by_signals(
    main: Coroutine[Any, Any, int | None], signalled_status: int
) -> int | None:
    task = asyncio.create_task(main)
    with on_signal(task.cancel):
        try:
            return await task
        except asyncio.CancelledError:
            return signalled_status
