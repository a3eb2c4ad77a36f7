"""Becomes another program that dies when its parent does: `python leash.py PARENT_PID PROGRAM ...`.

The kernel kills it when the thread that started it ends, kill -9 included. A program of its own
rather than code between fork and exec: the parent has gRPC's threads, and forking Python code in it
could hang.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    parent_pid, program = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # it died before we asked
            sys.exit(1)
    os.execvp(program[0], program)  # noqa: S606
