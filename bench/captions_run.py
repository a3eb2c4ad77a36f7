"""Broadcasts a sermon to many displays, and the same by a naive server beside it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.captions_sermon import SEGMENT_UPDATES, Sermon
from bench.captions_server import Server, load_cores, on_cores, running
from bench.side_by_side import figure, print_side_by_side
from cli.stack import REPOSITORY, free_port_base
from services.settings import port

_PORT_BASE = 17_300
# What an hour of captions is (6 MB), sent ahead: it fills the buffers on the way to a display that
# reads nothing (those of Linux for sending take up to 4 MB), so that what follows is measured.
_FILLING_FINALS, _FILLING_CHARACTERS = 96, 64_000
_WARM_UP_UPDATES = SEGMENT_UPDATES // 2
_GRACE_S = 5.0
_ANSWER_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a server."""

    viewers: int
    transport: str
    updates_per_s: float
    seconds: float
    stalled: int
    reconnect: int


async def measure(load: Load) -> dict[str, Any]:
    """Measures the captions service, then the naive server; prints a table to stderr.

    Returns:
        The figures of the captions service, and under "naive" those of the naive one; with
        displays that stall, under "naive_none_stalled" those that it has without.
    """
    naive = replace(load, transport="websocket", reconnect=0)
    runs = {"glossa": ("captions", load), "naive": ("naive", naive)}
    if load.stalled:
        runs["naive_none_stalled"] = ("naive", replace(naive, stalled=0))
    measured = {}
    with tempfile.TemporaryDirectory(prefix="glossa-bench-") as folder:
        for name, (server, asked) in runs.items():
            (Path(folder) / name).mkdir()
            measured[name] = await _run(server, asked, Path(folder) / name)
    _print(measured)
    ours = measured.pop("glossa")
    return {**ours, **measured}


async def _run(name: str, load: Load, folder: Path) -> dict[str, Any]:
    base = free_port_base(_PORT_BASE)
    sermon = Sermon()
    with on_cores(load_cores()):
        await sermon.serve(f"127.0.0.1:{port('gateway', base)}")
        try:
            async with running(name, base, folder) as server:
                number = server.grpc_port if load.transport == "grpc" else server.web_port
                async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                    await sermon.followed()
                async with _crowd(load.transport, number) as crowd:
                    return await _Measurement(name, load, sermon, server, crowd).run()
        finally:
            await sermon.stop()


class _Measurement:
    """One server under one load."""

    def __init__(
        self, name: str, load: Load, sermon: Sermon, server: Server, crowd: _Crowd
    ) -> None:
        self._name = name
        self._load = load
        self._sermon = sermon
        self._server = server
        self._crowd = crowd
        self._number = 0

    async def run(self) -> dict[str, Any]:
        load, reading = self._load, self._load.viewers - self._load.stalled
        self._say(f"connecting {load.viewers} displays ({load.transport}) ...")
        if load.stalled:
            await self._crowd.ask("stall", viewers=load.stalled)
            self._sermon.fill(_FILLING_FINALS, _FILLING_CHARACTERS)
        await self._crowd.ask(
            "connect", viewers=reading, after_sequence=self._sermon.sequence if load.stalled else 0
        )
        await self._speak(_WARM_UP_UPDATES)
        first, cpu_s = self._number, self._server.cpu_s()
        self._say(f"{load.updates_per_s:g} updates/s for {load.seconds:g} s ...")
        await self._speak(round(load.updates_per_s * load.seconds))
        last = self._number - 1
        report = await self._crowd.ask("report", first=first, last=last, grace_s=_GRACE_S)
        cpu_s = self._server.cpu_s() - cpu_s
        figures = self._figures(report, reading, cpu_s)
        if load.reconnect:
            figures["reconnect"] = await self._reconnect()
        return figures

    async def _speak(self, updates: int) -> None:
        """At an even pace."""
        begun_at = time.monotonic()
        for count in range(updates):
            due = begun_at + count / self._load.updates_per_s
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self._sermon.update(self._number)
            self._number += 1

    async def _reconnect(self) -> dict[str, Any]:
        count = self._load.reconnect
        self._say(f"{count} displays go to sleep, and come back at once ...")
        await self._crowd.ask("part")
        await self._crowd.ask("connect", viewers=count, after_sequence=self._sermon.sequence)
        await self._crowd.ask("part")
        seen = self._sermon.sequence
        while not self._sermon.is_final(self._number):
            self._number += 1
        self._sermon.update(self._number)
        return await self._crowd.ask(
            "reconnect", viewers=count, after_sequence=seen, newest=self._number
        )

    def _figures(self, report: dict[str, Any], reading: int, cpu_s: float) -> dict[str, Any]:
        counts = {int(number): count for number, count in report["counts"].items()}
        finals = [counts[number] for number in counts if self._sermon.is_final(number)]
        deliveries = sum(counts.values())
        latency_ms = report["latency_ms"]
        return {
            "viewers": self._load.viewers,
            "transport": self._load.transport,
            "stalled": self._load.stalled,
            "updates": len(counts),
            "p50_ms": latency_ms["p50"],
            "p95_ms": latency_ms["p95"],
            "p99_ms": latency_ms["p99"],
            "cpu_us_per_delivery": round(cpu_s * 1e6 / deliveries, 2) if deliveries else None,
            "delivered": round(deliveries / (len(counts) * reading), 5),
            "finals_delivered": round(sum(finals) / (len(finals) * reading), 5) if finals else None,
            "cut": report["left"],
        }

    def _say(self, line: str) -> None:
        print(f"glossa: {self._name}: {line}", file=sys.stderr)


class _Crowd:
    """The process with the displays."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, what: str, **arguments: object) -> dict[str, Any]:
        """Raises RuntimeError: the displays could not do it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **arguments}).encode() + b"\n")
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the displays ended while asked to {what}; see above")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def _crowd(transport: str, number: int) -> AsyncIterator[_Crowd]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "bench.captions_crowd", transport, "127.0.0.1", str(number)),
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=16 * 1024 * 1024,
    )
    try:
        yield _Crowd(process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _print(measured: dict[str, dict[str, Any]]) -> None:
    lines = {
        "displays, of which asleep": lambda each: f"{each['viewers']}, {each['stalled']}",
        "transport": figure("transport"),
        "p50 / p95 / p99 ms": lambda each: " / ".join(
            "-" if each[name] is None else f"{each[name]:.1f}"
            for name in ("p50_ms", "p95_ms", "p99_ms")
        ),
        "CPU us a delivery": figure("cpu_us_per_delivery"),
        "delivered": figure("delivered"),
        "finals delivered": figure("finals_delivered"),
        "displays cut": figure("cut"),
        "came back at once": lambda each: (
            f"{each['reconnect']['recovered']} in {each['reconnect']['recovered_s']} s"
            if "reconnect" in each
            else "-"
        ),
    }
    names = {name: name.replace("_", " ") for name in measured}
    print_side_by_side(
        "One sermon to many displays", lines, {names[name]: each for name, each in measured.items()}
    )
