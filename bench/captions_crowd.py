"""The displays of `./glossa bench captions` in a process of their own.

Reads one JSON command a line from stdin and answers each with one line: connect, stall, report,
reconnect. Ends with its stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from bench.captions_clients import VIEWERS, Viewer
from bench.captions_sermon import SESSION
from bench.spread import spread
from services.captions.event_loop import new_event_loop
from services.captions.open_files import allow_viewers

_CONNECTS_AT_ONCE = 100
_CONNECT_TIMEOUT_S = 60.0
_SMALLEST_BUFFER_BYTES = 4096


class Crowd:
    """Viewers of one server."""

    def __init__(self, transport: str, host: str, port: int) -> None:
        self._kind = VIEWERS[transport]
        self._address = (host, port)
        self._viewers: list[Viewer] = []
        self._stalled: list[socket.socket] = []
        self._received_ns: dict[int, list[int]] = defaultdict(list)
        self._arrived = asyncio.Event()

    async def connect(self, viewers: int, after_sequence: int) -> dict[str, Any]:
        """Connects gently, and waits until all have caught up."""
        self._viewers = await self._connected(viewers, after_sequence, _CONNECTS_AT_ONCE)
        return {"connected": len(self._viewers)}

    async def stall(self, viewers: int) -> dict[str, Any]:
        """Connects displays that read no more once the first bytes of captions are there.

        Their receive buffers are the smallest that the system gives.
        """
        loop = asyncio.get_running_loop()
        for _ in range(viewers):
            asleep = socket.socket()
            asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALLEST_BUFFER_BYTES)
            asleep.setblocking(False)
            await loop.sock_connect(asleep, self._address)
            await loop.sock_sendall(asleep, self._kind.request(0))
            self._stalled.append(asleep)
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            for asleep in self._stalled:
                said = b""
                while SESSION.encode() not in said:
                    said += await loop.sock_recv(asleep, _SMALLEST_BUFFER_BYTES)
        return {"stalled": viewers}

    async def report(self, first: int, last: int, grace_s: float) -> dict[str, Any]:
        """What came of the updates first..last, once all of the last is there or it is late."""
        await self._everybody_has(last, grace_s)
        window = range(first, last + 1)
        counts = {number: len(self._received_ns[number]) for number in window}
        latencies_ms = [each / 1e6 for number in window for each in self._received_ns[number]]
        return {
            "counts": counts,
            "latency_ms": spread(latencies_ms, 2),
            "left": sum(not viewer.is_connected for viewer in self._viewers),
        }

    async def part(self) -> dict[str, Any]:
        """Everybody leaves at once."""
        for viewer in self._viewers:
            viewer.transport.abort()
        self._viewers.clear()
        return {}

    async def reconnect(self, viewers: int, after_sequence: int, newest: int) -> dict[str, Any]:
        """Everybody comes back at once, and has recovered with the sermon's update `newest`."""
        started_at = time.monotonic()
        self._viewers = await self._connected(viewers, after_sequence, viewers)
        await self._everybody_has(newest, _CONNECT_TIMEOUT_S)
        recovered_s = time.monotonic() - started_at
        complete = sum(viewer.newest >= newest for viewer in self._viewers)
        return {"viewers": viewers, "recovered": complete, "recovered_s": round(recovered_s, 3)}

    async def _everybody_has(self, number: int, timeout_s: float) -> None:
        """Waits until an update is with all that are connected, for `timeout_s` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while len(self._received_ns[number]) < len(self._viewers):
                    self._arrived.clear()
                    await self._arrived.wait()

    async def _connected(self, count: int, after_sequence: int, at_once: int) -> list[Viewer]:
        loop = asyncio.get_running_loop()
        free = asyncio.Semaphore(at_once)

        async def connect() -> Viewer:
            async with free:
                _, viewer = await loop.create_connection(
                    lambda: self._kind(after_sequence, self._take), *self._address
                )
                await viewer.caught_up
                return viewer

        async with asyncio.timeout(_CONNECT_TIMEOUT_S), asyncio.TaskGroup() as tasks:
            connecting = [tasks.create_task(connect()) for _ in range(count)]
        return [task.result() for task in connecting]

    def _take(self, number: int, latency_ns: int) -> None:
        self._received_ns[number].append(latency_ns)
        self._arrived.set()


async def _serve(transport: str, host: str, port: str) -> None:
    crowd = Crowd(transport, host, int(port))
    commands: dict[str, Callable[..., Awaitable[dict[str, Any]]]] = {
        "connect": crowd.connect,
        "stall": crowd.stall,
        "report": crowd.report,
        "part": crowd.part,
        "reconnect": crowd.reconnect,
    }
    while line := await asyncio.to_thread(sys.stdin.readline):
        command = json.loads(line)
        answer = await commands[command.pop("do")](**command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    allow_viewers(0)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_serve(*sys.argv[1:]))
