"""What a process under attack takes of memory, at its peak and not only when it is over (Linux)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

MIB = 1024 * 1024


@contextlib.contextmanager
def growth_below(pid: int, limit_bytes: int) -> Iterator[None]:
    """Fails when a process meanwhile came to hold so much more in memory than it does now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is from now on
    before_bytes = peak_bytes(pid)
    yield
    growth_bytes = peak_bytes(pid) - before_bytes
    assert growth_bytes < limit_bytes, f"grew by {growth_bytes / MIB:.1f} MiB"


def peak_bytes(pid: int) -> int:
    """The most that was resident since the peak was last reset."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (kib,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kib) * 1024
