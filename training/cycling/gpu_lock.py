"""One training at a time on a machine's GPU: a lock on a file that says who holds it.

`flock var/gpu.lock python -m training.gemma ...` waits for the same lock from a shell.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from services.errors import InvalidInput, WrongState

_LOOK_AGAIN_AFTER_S = 1.0


@contextlib.contextmanager
def gpu_lock(path: Path, who: str, *, wait_s: float, say: Callable[[str], None]) -> Iterator[int]:
    """Holds the lock; gives its descriptor.

    Whoever inherits the descriptor holds the lock, too: a step that outlives the process that began
    it keeps others away until it has ended.

    Args:
        who: what others are told.
        wait_s: how long to wait for others; 0 refuses at once.

    Raises:
        WrongState: GPU_BUSY, saying who holds it.
        InvalidInput: FOLDER_UNUSABLE.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise InvalidInput("FOLDER_UNUSABLE", f"cannot write {path}: {error.strerror}") from error
    try:
        _take(descriptor, path, wait_s, say)
        since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        holder = {"who": who, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, wait_s: float, say: Callable[[str], None]) -> None:
    until = time.monotonic() + wait_s
    is_told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            holder = _holder(descriptor)
            if time.monotonic() >= until:
                raise WrongState(
                    "GPU_BUSY",
                    f"the GPU is in use by {holder}; wait until that is done (--wait MINUTES waits "
                    f"for it). The lock is {path}",
                ) from error
            if not is_told:
                say(f"waiting for the GPU, which is in use by {holder}")
                is_told = True
            time.sleep(min(_LOOK_AGAIN_AFTER_S, max(0.0, until - time.monotonic())))


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"{holder['who']} (process {holder['pid']} on {holder['host']}, {holder['since']})"
    except (ValueError, KeyError, TypeError):
        return "somebody who does not say so"
