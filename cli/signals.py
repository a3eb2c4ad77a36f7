"""Runs a verb's coroutine; Ctrl-C and SIGTERM end it in good order, a second one in a hurry.

Errors with a stable reason become one line on stderr, as click's own errors do, and an exit status:
2 for wrong input, else 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from services.errors import GlossaError, InvalidInput

T = TypeVar("T")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SAID = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "GATEWAY_UNREACHABLE")
_handlers: list[
    Callable[[], object]
] = []  # the last one is called; a process has one set of signals


def run_until_signalled(main: Coroutine[Any, Any, int | None], signalled_status: int = 0) -> None:
    """Exits with the coroutine's result (0 for None), or with `signalled_status` after a signal."""
    raise SystemExit(result_until_signalled(main, signalled_status) or 0)


def result_until_signalled(main: Coroutine[Any, Any, T], signalled_status: int = 0) -> T:
    """The coroutine's result; exits on an error, and with `signalled_status` after a signal."""
    try:
        return asyncio.run(_cancelled_by_signals(main))
    except GlossaError as error:
        sys.stderr.write(f"Error: {sentence(error)}\n")
        raise SystemExit(2 if isinstance(error, InvalidInput) else 1) from error
    except asyncio.CancelledError:
        raise SystemExit(signalled_status) from None
    except KeyboardInterrupt:  # before the loop's own handler was there
        raise SystemExit(130) from None
    finally:
        sys.stdout.flush()


def sentence(error: GlossaError) -> str:
    """What people are told of an error; that nobody answered needs no reason beside it."""
    return error.message if error.reason in _SAID else f"{error.message} ({error.reason})"


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


async def _cancelled_by_signals(main: Coroutine[Any, Any, T]) -> T:
    task = asyncio.create_task(main)
    with on_signal(task.cancel):
        return await task
