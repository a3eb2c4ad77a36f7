"""A TCP proxy between two services that delays, stalls, resets or cuts off what goes through it.

On TCP a lost packet is never lost data: it is sent again, and everything behind it waits. So 5 % of
loss is modelled as stalls of 200 to 1000 ms (the kernel's first timers of retransmission) before
every twentieth piece of data, and now and then a reset of the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from random import Random

_PIECE_BYTES = 16 * 1024
_STALL_S = (0.2, 1.0)


@dataclass(frozen=True)
class Weather:
    """What the network is like.

    Args:
        latency_s: added to each piece, in each direction; pieces follow each other without more.
        loss: share of the pieces that are held up as a retransmission would.
        reset: share of the pieces at which the connection is reset.
    """

    latency_s: float = 0.0
    loss: float = 0.0
    reset: float = 0.0


FAIR = Weather()


class Proxy:
    """Listens on `port` of 127.0.0.1 for what is meant for `target`."""

    def __init__(self, port: int, target: str, chance: Random) -> None:
        self.weather = FAIR
        self.address = f"127.0.0.1:{port}"
        self._port = port
        self._host, _, target_port = target.rpartition(":")
        self._target_port = int(target_port)
        self._chance = chance
        self._connections: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()

    def cut(self) -> None:
        """From now on nothing goes through, and nobody is told: a partition."""
        self._open.clear()

    def mend(self) -> None:
        """What was held up goes on."""
        self._open.set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        try:
            yield
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._carry(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Both directions, until one of them ends."""
        try:
            far_reader, far_writer = await asyncio.open_connection(self._host, self._target_port)
        except OSError:
            writer.transport.abort()
            return
        try:
            await _first_of(self._pump(reader, far_writer), self._pump(far_reader, writer))
        finally:
            writer.transport.abort()
            far_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pieces are read on while earlier ones are on their way, as on a long wire."""
        loop = asyncio.get_running_loop()
        wire: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)

        async def take() -> None:
            while data := await reader.read(_PIECE_BYTES):
                weather = self.weather
                due_at = loop.time() + weather.latency_s
                if self._chance.random() < weather.loss:
                    due_at += self._chance.uniform(*_STALL_S)
                if self._chance.random() < weather.reset:
                    return
                await wire.put((due_at, data))

        async def give() -> None:
            while True:
                due_at, data = await wire.get()
                await asyncio.sleep(due_at - loop.time())
                await self._open.wait()
                writer.write(data)
                await writer.drain()

        await _first_of(take(), give())


async def _first_of(*works: Coroutine[None, None, None]) -> None:
    """Runs them until one is over; an error of the network ends both, too."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
