"""All displays that are being served, those that want the same together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import NoReturn

from services.captions.events import Event
from services.captions.viewer import Query, Viewer
from services.errors import GlossaError


class Viewers:
    """Hands each event to who wants it: what a thousand phones ask alike is decided once."""

    def __init__(self) -> None:
        self._viewers: dict[Query, set[Viewer]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Viewer]:
        return (viewer for viewers in list(self._viewers.values()) for viewer in list(viewers))

    def add(self, viewer: Viewer) -> None:
        self._viewers.setdefault(_wish(viewer), set()).add(viewer)
        self._count += 1

    def remove(self, viewer: Viewer) -> None:
        viewers = self._viewers[_wish(viewer)]
        viewers.remove(viewer)
        self._count -= 1
        if not viewers:
            del self._viewers[_wish(viewer)]

    def publish(self, event: Event) -> None:
        for wish, viewers in self._viewers.items():
            if wish.wants(event):
                for viewer in viewers:
                    viewer.offer(event)

    def cut(self, error: GlossaError, session_id: str = "") -> None:
        """Ends who asked for this session alone; everybody when it is empty."""
        for viewer in self:
            if not session_id or viewer.query.session_id == session_id:
                viewer.cut(error)

    async def watch_writes(self, timeout_s: float) -> NoReturn:
        """Cuts who takes longer than `timeout_s` over one event, or a fifth more."""
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(min(1.0, timeout_s / 5))
            now = clock()
            for viewer in self:
                viewer.check_write(now, timeout_s)


def _wish(viewer: Viewer) -> Query:
    """What a display wants, wherever it is."""
    return replace(viewer.query, after_sequence=0)
