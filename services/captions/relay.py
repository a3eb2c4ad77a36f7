"""Takes what comes from upstream into the history and passes it on to every display."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import structlog

from services import traces
from services.captions.events import (
    Caption,
    CaptionDropped,
    Event,
    Screens,
    SegmentHidden,
    SessionEnded,
    SessionForgotten,
    SessionReset,
)
from services.captions.history import History, SessionRecord
from services.captions.metrics import (
    CUTS,
    EVENTS,
    REFUSALS,
    SESSIONS,
    UPSTREAM_CONNECTED,
    VIEWERS,
)
from services.captions.partials import Partials
from services.captions.settings import CaptionsSettings
from services.captions.upstream import Lost, Progress, Restarted, Trimmed, Update, Upstream
from services.captions.viewer import Query, Viewer
from services.captions.viewers import Viewers
from services.errors import (
    GlossaError,
    InvalidInput,
    NotFound,
    OutOfRange,
    Overloaded,
    Unavailable,
)

log = structlog.get_logger()

_LANGUAGES_LIMIT = 32


class Relay:
    """One upstream, many displays."""

    def __init__(self, settings: CaptionsSettings) -> None:
        self._settings = settings
        self._history = History(settings.session_limit, settings.session_event_limit)
        self._partials = Partials()
        self._screens: Event | None = None  # what all screens show now
        self._viewers = Viewers()
        self._journal_id = ""
        self._sequence = 0
        self._caught_up = False
        self._draining = False
        self._changed = asyncio.Event()
        self._forgetters: list[Callable[[], None]] = []

    def on_forgotten(self, forget: Callable[[], None]) -> None:
        """Has `forget` called when a session is forgotten, or all of the journal: it drops what it
        made of events.
        """
        self._forgetters.append(forget)

    async def run(self) -> None:
        """Follows the upstream until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._viewers.watch_writes(self._settings.write_timeout_s))
            await self._follow()

    async def _follow(self) -> None:
        async with contextlib.aclosing(Upstream(self._settings).updates()) as updates:
            async for update in updates:
                self._take(update)
                self._changed.set()

    def drain(self) -> None:
        """Ends every display with SHUTTING_DOWN and takes no more."""
        self._draining = True
        self._changed.set()
        self._viewers.cut(_shutting_down())

    @property
    def caught_up(self) -> bool:
        """Whether everything upstream has been seen once."""
        return self._caught_up

    def sessions(self) -> list[SessionRecord]:
        """Newest first."""
        return self._history.sessions()

    def session(self, session_id: str) -> SessionRecord:
        """Raises NotFound: UNKNOWN_SESSION."""
        record = self._history.session(session_id)
        if record is None:
            raise _unknown_session(session_id)
        return record

    async def ready(self) -> None:
        """Waits a little for the first catch-up. Raises Unavailable: NOT_READY, SHUTTING_DOWN."""
        await self._wait(lambda: self._caught_up, self._settings.catch_up_wait_s)
        if not self._caught_up:
            raise Unavailable(
                "NOT_READY",
                "the upstream has not been reached yet, so nothing is known; try again",
            )

    @contextlib.asynccontextmanager
    async def watching(self, query: Query, transport: str) -> AsyncIterator[Viewer]:
        """A viewer with everything after query.after_sequence, then whatever comes.

        Raises:
            GlossaError: with a reason that CaptionService.Subscribe names.
        """
        if query.after_sequence < 0 or len(query.languages) > _LANGUAGES_LIMIT:
            raise InvalidInput(
                "INVALID_REQUEST",
                f"after_sequence must be 0 or more and languages at most {_LANGUAGES_LIMIT}",
            )
        await self.ready()
        await self._wait(lambda: self._knows(query), self._settings.unknown_wait_s)
        if query.session_id:
            self.session(query.session_id)
        if query.after_sequence > self._sequence:
            raise _sequence_ahead(self._sequence)
        if len(self._viewers) >= self._settings.viewer_limit:
            REFUSALS.labels("TOO_MANY_VIEWERS").inc()
            raise Overloaded(
                "TOO_MANY_VIEWERS",
                f"this service shows captions to {self._settings.viewer_limit} displays already; "
                "ask another relay",
                retry_after_s=5.0,
            )
        viewer = self._viewer(query)
        self._viewers.add(viewer)
        VIEWERS.labels(transport).inc()
        try:
            yield viewer
        except GlossaError as error:
            CUTS.labels(error.reason).inc()
            raise
        finally:
            self._viewers.remove(viewer)
            VIEWERS.labels(transport).dec()

    def _viewer(self, query: Query) -> Viewer:
        """The events are the viewer's alone: whoever watches would hold what is forgotten."""
        backlog = self._history.after(query.session_id, query.after_sequence)
        viewer = Viewer(query, self._journal_id, self._settings.viewer_queue_events)
        live = [*([self._screens] if self._screens else []), *self._partials.events()]
        viewer.begin(backlog, live, self._sequence)
        return viewer

    async def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Waits until `condition` holds after an update, for `timeout_s` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not condition() and not self._draining:
                    self._changed.clear()
                    await self._changed.wait()
        if self._draining:
            raise _shutting_down()

    def _knows(self, query: Query) -> bool:
        return query.after_sequence <= self._sequence and (
            not query.session_id or self._history.session(query.session_id) is not None
        )

    def _take(self, update: Update) -> None:
        UPSTREAM_CONNECTED.set(not isinstance(update, Lost))
        match update:
            case Event():
                EVENTS.labels(type(update.body).__name__).inc()
                if update.sequence:
                    self._take_durable(update)
                else:
                    self._take_live(update)
            case Progress(sequence, caught_up):
                self._sequence = max(self._sequence, sequence)
                if caught_up and not self._caught_up:
                    log.info("caught_up", sequence=sequence, journal_id=self._journal_id)
                    self._caught_up = True
            case Restarted(journal_id):
                self._restart(journal_id)
            case Trimmed(sequence):
                self._history.trim_to(sequence)
            case Lost():
                # It may come back and count revisions from the start, or never come to a segment
                # again: a stale partial must not stand in the way.
                for dropped in self._partials.drop_all():
                    self._viewers.publish(dropped)

    def _take_durable(self, event: Event) -> None:
        self._sequence = max(self._sequence, event.sequence)
        if isinstance(event.body, SessionForgotten):
            self._forget(event)
            return
        if isinstance(event.body, Screens):
            self._take_screens(event)
            return
        if self._history.is_gone(event.session_id):
            return
        event = self._with_captions(event)
        left = self._history.add(event)
        SESSIONS.set(len(self._history.sessions()))
        if left is not None:
            self._partials.forget_session(left.session_id)
            self._viewers.cut(_unknown_session(left.session_id), left.session_id)
        body = event.body
        if isinstance(body, Caption | CaptionDropped):
            self._partials.forget(event.session_id, body.segment_id, body.language)
        elif isinstance(body, SegmentHidden) and body.is_hidden:
            self._partials.forget(event.session_id, body.segment_id, "")
        elif isinstance(body, SessionEnded | SessionReset):
            self._partials.forget_session(event.session_id)
        record = self._history.session(event.session_id)
        if record is not None and record.shows(event):
            with self._traced(event):
                self._viewers.publish(event)

    def _traced(self, event: Event) -> contextlib.AbstractContextManager[traces.Span]:
        """A final that goes to the displays now; what is only read again is not traced."""
        body = event.body
        if not isinstance(body, Caption) or body.is_corrected or not self._caught_up:
            return contextlib.nullcontext(traces.NOTHING)
        return traces.segment_span(
            "captions show",
            event.session_id,
            body.segment_id,
            sequence=event.sequence,
            language=body.language,
            displays=len(self._viewers),
        )

    def _with_captions(self, event: Event) -> Event:
        """A segment that is shown again brings its captions: displays may not have had them."""
        body = event.body
        record = self._history.session(event.session_id)
        if (
            not isinstance(body, SegmentHidden)
            or body.is_hidden
            or body.captions  # the upstream is a relay and has done so
            or record is None
        ):
            return event
        return replace(event, body=replace(body, captions=record.segment(body.segment_id)))

    def _forget(self, event: Event) -> None:
        """Takes a session away, from the displays, too, that have not been sent it yet."""
        self._history.forget(event)
        SESSIONS.set(len(self._history.sessions()))
        self._partials.forget_session(event.session_id)
        for viewer in self._viewers:
            viewer.forget(event, _unknown_session(event.session_id))
        self._forget_what_was_made()

    def _forget_what_was_made(self) -> None:
        for forget in self._forgetters:
            forget()

    def _take_screens(self, event: Event) -> None:
        # Kept without its sequence: it is for everyone who joins, whatever they have seen.
        self._screens = replace(event, sequence=0)
        self._viewers.publish(event)

    def _take_live(self, event: Event) -> None:
        body = event.body
        if isinstance(body, Screens):
            self._take_screens(event)  # the upstream is a relay, which was joined
            return
        if isinstance(body, CaptionDropped):
            # The next segment may use the number again, with revisions from the start.
            self._partials.forget(event.session_id, body.segment_id, body.language)
        elif isinstance(body, Caption):
            record = self._history.session(event.session_id)
            if record is None:
                return  # its start is not known, so nobody can be watching it
            if not record.shows(event):
                return  # a translation of what an operator hid meanwhile
            if self._history.is_stale(event.session_id, body):
                return
            if not self._partials.take(event, body):
                return
        self._viewers.publish(event)

    def _restart(self, journal_id: str) -> None:
        if self._journal_id:
            log.warning("history_cleared", journal_id=journal_id)
        self._journal_id = journal_id
        self._history.clear()
        self._partials.drop_all()
        self._screens = None
        self._sequence = 0
        self._caught_up = False
        SESSIONS.set(0)
        self._viewers.cut(_sequence_ahead(0))
        self._forget_what_was_made()


def _unknown_session(session_id: str) -> NotFound:
    return NotFound(
        "UNKNOWN_SESSION",
        "there is no such session here, or it made room for newer ones or was deleted; "
        "list the sessions",
        session_id=session_id,
    )


def _sequence_ahead(sequence: int) -> OutOfRange:
    return OutOfRange(
        "SEQUENCE_AHEAD",
        "the journal is not the one that after_sequence counts in; subscribe again from 0",
        last_sequence=sequence,
    )


def _shutting_down() -> Unavailable:
    return Unavailable(
        "SHUTTING_DOWN",
        "captions is stopping; subscribe again after the last sequence that you have",
    )
