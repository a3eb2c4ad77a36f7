"""The connection of a browser, written to past aiohttp: whole frames, and no task for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from aiohttp import web

from services.captions.events import Event
from services.captions.viewer import Viewer
from services.captions.web.encoding import Encoder

# What may lie in this process for a display that does not take it. Beyond, events wait in its
# queue, where a newer text can still replace an older one.
_BUFFER_BYTES = 16 * 1024


class Wire:
    """Puts a viewer's events on a connection whose response has been prepared.

    aiohttp writes its own frames, pings and closes, without a pause inside as well: neither can
    come to lie inside of the other.
    """

    def __init__(
        self, request: web.Request, encode: Encoder, is_closed: Callable[[], bool] = lambda: False
    ) -> None:
        """`is_closed`: whether the response has been ended on a connection that may still be open.

        Raises:
            ConnectionError: the display has left.
        """
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the display has left")
        transport.set_write_buffer_limits(high=_BUFFER_BYTES)
        self._transport = transport
        self._protocol = request.protocol
        self._writer = request.writer
        self._encode = encode
        self._is_closed = is_closed

    @property
    def is_open(self) -> bool:
        return not (self._transport.is_closing() or self._is_closed())

    @property
    def has_room(self) -> bool:
        """Whether a write would go out at once, as far as this process knows."""
        return not self._protocol.writing_paused and self.is_open

    async def carry(self, viewer: Viewer) -> NoReturn:
        """Sends until the viewer is cut or the display leaves.

        Raises:
            GlossaError: why the viewer was cut.
            ConnectionError: the display has left.
        """
        encode, journal_id, transport = self._encode, viewer.journal_id, self._transport

        def write_now(event: Event) -> bool:
            if not self.has_room:
                return False
            transport.write(encode(event, journal_id))
            return True

        async def write(event: Event) -> None:
            self.write(encode(event, journal_id))
            if self._protocol.writing_paused:
                await self.drained()

        viewer.write_through(write_now)
        await viewer.deliver(write)

    def write(self, content: bytes) -> None:
        """Raises ConnectionError: the display has left."""
        if not self.is_open:
            raise ConnectionResetError("the display has left")
        self._transport.write(content)

    async def drained(self) -> None:
        """Waits until there is room again. Raises ConnectionError: the display has left."""
        # aiohttp keeps one future for all that wait here. Interrupted without the shield, it would
        # stay there cancelled, and so would whoever waits next, to say why the display was cut.
        await asyncio.shield(self._writer.drain())

    def abort(self) -> None:
        self._transport.abort()
