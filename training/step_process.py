"""A job run as a process of its own, stopped gently when whoever began it is stopped."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Sequence

# A checkpoint of a large model, written to a slow disk.
_LAST_WORDS_S = 300.0


def run_job(command: Sequence[str], *, keeps_open: int) -> int:
    """The job's exit status; negative: the signal that ended it.

    Its words and bars go where ours go. It has a process group of its own, so that Ctrl-C comes to
    us alone: it is then interrupted once, and waited for while it keeps what it has.

    Args:
        keeps_open: a descriptor that it inherits (see training.gpu_lock).

    Raises:
        KeyboardInterrupt: somebody stopped us, with Ctrl-C or SIGTERM; the job has ended.
    """
    with (
        _terminated_as_interrupted(),
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=(keeps_open,), process_group=0
        ) as process,
    ):
        try:
            return process.wait()
        except BaseException:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_LAST_WORDS_S)
            except BaseException:  # it does not end, or somebody insists
                process.kill()
                raise
            raise


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
