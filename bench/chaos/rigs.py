"""The stacks that faults share: plain, rigged for what a plain one cannot suffer, with a clock."""

from __future__ import annotations

import contextlib
import glob
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from random import Random

from bench.chaos.proxy import Proxy
from bench.chaos.shims import Shims
from bench.chaos.stage import Rigging, Stage
from bench.stack import free_plan, running_stack
from cli.stack import StackPlan, port_is_free
from cli.supervisor import Supervisor

Rig = Callable[[], AbstractAsyncContextManager[Stage]]

_DISK = "size=16m"  # room for a few minutes, and soon full
_FIRST_PROXY_PORT = 18_300
_FAKETIME = "/usr/lib/*/faketime/libfaketime.so.1"
_CLOCK_FILE = "clock"


def can_mount() -> bool:
    """Whether this process may mount a file system of its own."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(OSError):
        mounted = _mount(Path(folder))
        if mounted:
            _unmount(Path(folder))
        return mounted
    return False


def faketime() -> str | None:
    """The library of Debian's package libfaketime; None when it is not installed."""
    return next(iter(sorted(glob.glob(_FAKETIME))), None)


@contextlib.asynccontextmanager
async def plain() -> AsyncIterator[Stage]:
    """The embedded profile as it comes."""
    async with running_stack("embedded") as supervisor, Stage.on(supervisor) as stage:
        yield stage


@contextlib.asynccontextmanager
async def rigged() -> AsyncIterator[Stage]:
    """Proxies before the engines, small disks for journal and Redis, and Apertium that can break.

    Its final model is Apertium and its draft model the own one, so that the one can go.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glossa-chaos-")))
        shims = Shims(folder / "programs", "lt-proc")
        state_dir = folder / "state"
        state_dir.mkdir()
        for name in ("gateway", "redis"):
            stack.enter_context(small_disk(state_dir / name))
        plan = free_plan(
            state_dir,
            settings={
                "PATH": f"{shims.folder}{os.pathsep}{os.environ['PATH']}",
                "GLOSSA_MT_RUNTIME": "apertium",
                "GLOSSA_MT_DRAFT_RUNTIME": "marian",
                "GLOSSA_MT_DRAFT_MODEL": "glossa-en-es",
            },
        )
        chance = Random(0)
        ports = iter(port for port in range(_FIRST_PROXY_PORT, 32_000) if port_is_free(port))
        proxies = {
            name: Proxy(next(ports), plan.address(name), chance) for name in ("stt", "mt", "qe")
        }
        for proxy in proxies.values():
            await stack.enter_async_context(proxy.listening())
        detours = {name: proxy.address for name, proxy in proxies.items()}
        supervisor = _supervisor(replace(plan, detours=detours))
        await stack.enter_async_context(supervisor.running())
        yield await stack.enter_async_context(Stage.on(supervisor, Rigging(proxies, shims)))


@contextlib.asynccontextmanager
async def with_clock() -> AsyncIterator[Stage]:
    """Every process asks libfaketime for the time of day, which a file moves."""
    library = faketime()
    assert library is not None  # the catalogue looked
    with tempfile.TemporaryDirectory(prefix="glossa-chaos-") as name:
        clock = Path(name) / _CLOCK_FILE
        set_clock(clock, 0)
        # Redis's allocator and libfaketime wait for each other.
        shims = Shims(Path(name) / "programs", "redis-server", by="env -u LD_PRELOAD")
        settings = {
            "PATH": f"{shims.folder}{os.pathsep}{os.environ['PATH']}",
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        supervisor = _supervisor(free_plan(Path(name) / "state", settings=settings))
        async with supervisor.running(), Stage.on(supervisor, Rigging(clock=clock)) as stage:
            yield stage


def set_clock(path: Path, offset_s: int) -> None:
    """Moves the time of day of the processes that look at the file."""
    beside = path.with_suffix(".new")
    beside.write_text(f"{offset_s:+d}s\n")
    beside.replace(path)


RIGS: dict[str, Rig] = {"plain": plain, "rigged": rigged, "clock": with_clock}


def _supervisor(plan: StackPlan) -> Supervisor:
    return Supervisor(plan, lambda line: print(f"glossa: {line}", file=sys.stderr))


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[None]:
    """A disk of its own at `path`, where that is allowed; a plain folder elsewhere."""
    path.mkdir(mode=0o700)
    mounted = _mount(path)
    try:
        yield
    finally:
        if mounted:
            _unmount(path)


def _mount(path: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"{_DISK},mode=0700", "tmpfs", str(path)]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "-l", str(path)], capture_output=True, check=False)
