"""One display that is being served, and what waits for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import NoReturn

from services.captions.events import (
    Caption,
    CaptionDropped,
    CaughtUp,
    Event,
    Screens,
    SegmentHidden,
    matches_language,
)
from services.captions.metrics import PARTIALS_SKIPPED
from services.errors import GlossaError, Overloaded


@dataclass(frozen=True, slots=True)
class Query:
    """What a display wants to see; empty session_id and languages mean all."""

    session_id: str = ""
    languages: tuple[str, ...] = ()
    after_sequence: int = 0
    finals_only: bool = False

    def wants(self, event: Event) -> bool:
        body = event.body
        if isinstance(body, Screens):
            return True
        if self.session_id and event.session_id != self.session_id:
            return False
        if isinstance(body, Caption):
            return (body.is_final or not self.finals_only) and matches_language(
                body.language, self.languages
            )
        if isinstance(body, CaptionDropped):
            return not self.finals_only and (
                not body.language or matches_language(body.language, self.languages)
            )
        return True


def slow_consumer() -> Overloaded:
    return Overloaded(
        "SLOW_CONSUMER",
        "this display takes captions more slowly than they come; "
        "subscribe again after the last sequence that it has",
        retry_after_s=0.2,
    )


class Viewer:
    """The events of one display, in order: `deliver` them.

    An event that finds the display idle, all before it written and nothing waiting, is written at
    once where the transport can (`write_through`); else it waits here until `deliver` comes to it.

    Overflow: the newest partial of a segment in a language replaces the one that waits, and waiting
    partials make room for finals. No final is dropped: when too many wait, the display is cut with
    SLOW_CONSUMER and resumes from the last sequence that it has.
    """

    def __init__(self, query: Query, journal_id: str, queue_events: int) -> None:
        self.query = query
        self.journal_id = journal_id
        self._queue_events = queue_events
        self._waiting: OrderedDict[Hashable, Event] = OrderedDict()
        self._wake = asyncio.Event()
        self._error: GlossaError | None = None
        self._interruption: asyncio.Timeout | None = None
        self._write_began_at: float | None = None  # on the clock of the loop, while one goes on
        self._last_error: GlossaError | None = None  # once what waits has been taken
        self._backlog: deque[Event] = deque()
        self._is_idle = False
        self._write: Callable[[Event], bool] = _never

    def write_through(self, write: Callable[[Event], bool]) -> None:
        """Has `write` called with an event that finds the display idle; False: it has no room."""
        self._write = write

    def begin(self, backlog: Iterable[Event], partials: Iterable[Event], sequence: int) -> None:
        """Puts what is known already before whatever is offered from now on."""
        caught_up = _caught_up(self.query.session_id, sequence)
        known = (event for event in (*backlog, *partials) if self.query.wants(event))
        self._backlog = deque((*known, caught_up))

    def offer(self, event: Event) -> None:
        """Takes a new event that the display wants; never waits."""
        if self._is_idle and self._write(event):
            return
        if self._error is None:
            self._keep(event)

    def _keep(self, event: Event) -> None:
        body = event.body
        key: Hashable = event.sequence
        if isinstance(body, Caption):
            partial = ("partial", event.session_id, body.segment_id, body.language)
            if self._waiting.pop(partial, None) is not None:
                PARTIALS_SKIPPED.inc()
            if not body.is_final:
                key = partial
        elif isinstance(body, SegmentHidden) and body.is_hidden:
            self._withdraw(event.session_id, body.segment_id)
        elif isinstance(body, CaptionDropped):
            self._drop_partials(event.session_id, body)
            if not event.sequence:
                key = ("dropped", event.session_id, body.segment_id)
                self._waiting.pop(key, None)
        if len(self._waiting) >= self._queue_events and not self._make_room():
            if event.sequence == 0 and isinstance(body, Caption):
                return
            self.cut(slow_consumer())
            return
        self._waiting[key] = event
        self._rouse()

    def forget(self, event: Event, error: GlossaError) -> None:
        """Drops what waits of the session that `event` says is forgotten, and passes that on.

        A display that wanted this session alone has nothing more to come: it ends with `error`.
        """
        for key, waiting in list(self._waiting.items()):
            if waiting.session_id == event.session_id:
                del self._waiting[key]
        self._backlog = deque(each for each in self._backlog if each.session_id != event.session_id)
        if self.query.wants(event):
            self.offer(event)
        if self.query.session_id == event.session_id:
            self._last_error = error
            self._rouse()

    def cut(self, error: GlossaError) -> None:
        """Ends the delivery with `error`, and a write that waits for the display."""
        if self._error is None:
            self._error = error
            self._waiting.clear()
            self._rouse()
            if self._interruption is not None and self._write_began_at is not None:
                self._interruption.reschedule(self._write_began_at)

    def check_write(self, now: float, timeout_s: float) -> None:
        """Cuts a display that has not taken an event for longer than `timeout_s`."""
        if self._write_began_at is not None and now - self._write_began_at > timeout_s:
            self.cut(slow_consumer())

    async def deliver(self, write: Callable[[Event], Awaitable[None]]) -> NoReturn:
        """Writes each event in its turn. Raises GlossaError: why the display was cut."""
        clock = asyncio.get_running_loop().time
        try:
            # One for all writes: a deadline of its own for each costs as much as a write.
            async with asyncio.timeout(None) as self._interruption:
                while True:
                    event = await self._next()
                    self._write_began_at = clock()
                    await write(event)
                    self._write_began_at = None
        except TimeoutError:
            raise (self._error or slow_consumer()) from None
        finally:
            self._interruption = None

    async def _next(self) -> Event:
        while True:
            if self._error is not None:
                raise self._error
            if self._backlog:
                return self._backlog.popleft()
            if self._waiting:
                return self._waiting.popitem(last=False)[1]
            if self._last_error is not None:
                raise self._last_error
            self._wake.clear()
            self._is_idle = True
            await self._wake.wait()

    def _rouse(self) -> None:
        """From here on everything waits its turn, until all of it is delivered."""
        self._is_idle = False
        self._wake.set()

    def _withdraw(self, session_id: str, segment_id: int) -> None:
        """Drops what waits of a segment that is hidden now: nobody shall read it first."""

        def is_hidden(event: Event) -> bool:
            body = event.body
            return (
                event.session_id == session_id
                and isinstance(body, Caption | SegmentHidden)  # the latter would bring it back
                and body.segment_id == segment_id
            )

        for key, waiting in list(self._waiting.items()):
            if is_hidden(waiting):
                del self._waiting[key]
        self._backlog = deque(each for each in self._backlog if not is_hidden(each))

    def _make_room(self) -> bool:
        """Gives the oldest waiting partial up; False when only finals wait."""
        for key, event in self._waiting.items():
            if event.sequence == 0 and isinstance(event.body, Caption):
                del self._waiting[key]
                PARTIALS_SKIPPED.inc()
                return True
        return False

    def _drop_partials(self, session_id: str, dropped: CaptionDropped) -> None:
        for key, event in list(self._waiting.items()):
            body = event.body
            if (
                event.sequence == 0
                and isinstance(body, Caption)
                and (event.session_id, body.segment_id) == (session_id, dropped.segment_id)
                and dropped.language in ("", body.language)
            ):
                del self._waiting[key]


def _never(event: Event) -> bool:
    return False


@lru_cache(maxsize=64)
def _caught_up(session_id: str, sequence: int) -> Event:
    """One event for all that join now, so that it is encoded once."""
    return Event(0, session_id, None, CaughtUp(sequence))
