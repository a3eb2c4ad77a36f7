"""Waiting for a file or folder that another process holds; what a dead process held is free."""

from __future__ import annotations

import fcntl
import time

_POLL_S = 0.02


def locked_within(descriptor: int, timeout_s: float) -> bool:
    """Locks what is open at `descriptor` alone, until it is closed; False when that took too long.

    Raises OSError where locks cannot be had at all.
    """
    give_up_at_s = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up_at_s:
                return False
            time.sleep(_POLL_S)
        else:
            return True
