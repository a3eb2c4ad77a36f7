"""Memory of a process and everything it started, and of the GPU where there is one."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator

import psutil

_INTERVAL_S = 0.1
_NVIDIA_SMI_TIMEOUT_S = 10.0


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and everything it started."""
    resident = 0
    for member in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
            resident += member.memory_info().rss
    return resident


def open_descriptors(pid: int) -> int:
    """File descriptors of a process and everything it started."""
    count = 0
    for member in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
            count += member.num_fds()
    return count


def gpu_bytes(pid: int) -> int | None:
    """GPU memory of a process and everything it started, as nvidia-smi says; None without one."""
    if shutil.which("nvidia-smi") is None:
        return None
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_NVIDIA_SMI_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    family = {member.pid for member in _family(pid)}
    used_mib = 0
    for line in answer.stdout.splitlines():
        owner, _, mib = line.partition(",")
        if owner.strip().isdigit() and int(owner) in family and mib.strip().isdigit():
            used_mib += int(mib)
    return used_mib * 1024**2


class MemoryWatch:
    """Looks at a process every tenth of a second: `peak_bytes`, and `now()` at any time."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak_bytes = 0

    def now(self) -> int:
        resident = resident_bytes(self.pid)
        self.peak_bytes = max(self.peak_bytes, resident)
        return resident

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[MemoryWatch]:
        task = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            task.cancel()
            self.now()

    async def _watch(self) -> None:
        while True:
            self.now()
            await asyncio.sleep(_INTERVAL_S)


def _family(pid: int) -> list[psutil.Process]:
    # One that ends while we look is counted the next time, as its successor.
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [member for member in (process, *process.children(recursive=True)) if _lives(member)]
    return []


def _lives(process: psutil.Process) -> bool:
    return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
