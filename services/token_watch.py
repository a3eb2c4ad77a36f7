"""What was opened with a token ends with the token."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog

from services.errors import Unauthenticated
from services.token_file import TokenEntry
from services.tokens import TokenBook

log = structlog.get_logger()

_INTERVAL_S = 1.0


@dataclass(eq=False, slots=True)
class _Stream:
    limit: asyncio.Timeout
    why: Unauthenticated | None = None


class TokenWatch:
    """Looks once a second, as long as anything is open, whose tokens are still good."""

    def __init__(self, book: TokenBook) -> None:
        self._book = book
        self._open: dict[TokenEntry, set[_Stream]] = {}
        self._timer: asyncio.TimerHandle | None = None

    @contextlib.asynccontextmanager
    async def while_good(self, holder: TokenEntry) -> AsyncIterator[None]:
        """Cancels what is within when the token is revoked, expires or is good for less.

        Raises Unauthenticated: TOKEN_UNKNOWN, TOKEN_EXPIRED.
        """
        stream = _Stream(asyncio.timeout(None))
        try:
            async with stream.limit:
                self._open.setdefault(holder, set()).add(stream)
                self._look_later()
                try:
                    yield
                finally:
                    self._leave(holder, stream)
        except (TimeoutError, GeneratorExit):  # this, where it waited for a slow reader
            if stream.why is None or not stream.limit.expired():
                raise  # a time limit of what is within, or the caller has left
            raise stream.why from None

    def _leave(self, holder: TokenEntry, stream: _Stream) -> None:
        streams = self._open.get(holder)
        if streams is not None:
            streams.discard(stream)
            if not streams:
                del self._open[holder]

    def _look_later(self) -> None:
        if self._timer is None and self._open:
            self._timer = asyncio.get_running_loop().call_later(_INTERVAL_S, self._look)

    def _look(self) -> None:
        self._timer = None
        for holder in tuple(self._open):
            if (why := self._book.lost(holder)) is not None:
                streams = self._open.pop(holder)
                log.info("token_ended", name=holder.name, reason=why.reason, streams=len(streams))
                for stream in streams:
                    stream.why = Unauthenticated(why.reason, why.message, **why.metadata)
                    stream.limit.reschedule(0)
        self._look_later()
