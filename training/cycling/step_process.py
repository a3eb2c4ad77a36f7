"""A job run as a process of its own, stopped gently when whoever began it is stopped."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from training.interruption import terminated_as_interrupted

# A checkpoint of a large model, written to a slow disk.
_LAST_WORDS_S = 300.0


def run_job(command: Sequence[str], *, keeps_open: int) -> int:
    """The job's exit status; negative: the signal that ended it.

    Its words and bars go where ours go. It has a process group of its own, so that Ctrl-C comes to
    us alone: it is then interrupted once, and waited for while it keeps what it has.

    Args:
        keeps_open: a descriptor that it inherits (see training.cycling.gpu_lock).

    Raises:
        KeyboardInterrupt: somebody stopped us, with Ctrl-C or SIGTERM; the job has ended.
    """
    with (
        terminated_as_interrupted(),
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, pass_fds=(keeps_open,), process_group=0
        ) as process,
    ):
        try:
            return process.wait()
        except BaseException:
            # It inherits that SIGINT is ignored, as it is in the background of a shell.
            is_deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            process.send_signal(signal.SIGTERM if is_deaf else signal.SIGINT)
            try:
                process.wait(_LAST_WORDS_S)
            except BaseException:  # it does not end, or somebody insists
                process.kill()
                raise
            raise
