"""What a display can still ask for: the newest sessions, and the newest events of each."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import islice

from services.captions.events import (
    Caption,
    CaptionDropped,
    Event,
    SegmentHidden,
    SessionEnded,
    SessionHeld,
    SessionStarted,
)
from services.errors import OutOfRange

_GONE_SESSIONS_REMEMBERED = 4096
_FORGOTTEN_SESSIONS_REMEMBERED = 4096


@dataclass
class SessionRecord:
    """A session and its durable events, oldest first."""

    session_id: str
    start_time: datetime | None = None
    title: str = ""
    source_language: str = ""
    target_languages: tuple[str, ...] = ()
    is_live: bool = True
    is_held: bool = False
    events: deque[Event] = field(default_factory=deque)
    trimmed_sequence: int = 0  # every event up to here is gone
    final_revisions: dict[tuple[int, str], int] = field(default_factory=dict)
    hidden_segments: set[int] = field(default_factory=set)

    def finals(self, language: str) -> list[Caption]:
        """The newest final of each segment in exactly `language`, in the order of speech.

        Without those that are hidden.
        """
        newest: dict[int, Caption] = {}
        for caption in self._captions():
            if caption.language == language and caption.segment_id not in self.hidden_segments:
                known = newest.get(caption.segment_id)
                if known is None or caption.revision >= known.revision:
                    newest[caption.segment_id] = caption
        return sorted(newest.values(), key=lambda each: (each.start_offset_ms, each.segment_id))

    def awaited(self, language: str) -> list[Caption]:
        """What was said and has no final in `language` yet, in the order of speech."""
        settled = {final.segment_id for final in self.finals(language)}
        for event in self.events:
            if isinstance(event.body, CaptionDropped) and event.body.language == language:
                settled.add(event.body.segment_id)  # it will never be translated
        said = self.finals(self.source_language)
        return [final for final in said if final.segment_id not in settled]

    def segment(self, segment_id: int) -> tuple[Caption, ...]:
        """The newest final of a segment in each language, hidden or not."""
        newest: dict[str, Caption] = {}
        for caption in self._captions():
            if caption.segment_id == segment_id:
                known = newest.get(caption.language)
                if known is None or caption.revision >= known.revision:
                    newest[caption.language] = caption
        return tuple(newest.values())

    def shows(self, event: Event) -> bool:
        """Whether displays may have this event: not what is hidden now."""
        body = event.body
        if isinstance(body, Caption):
            return body.segment_id not in self.hidden_segments
        if isinstance(body, SegmentHidden) and not body.is_hidden:
            return body.segment_id not in self.hidden_segments  # it brings the text back
        return True

    def _captions(self) -> Iterator[Caption]:
        for event in self.events:
            if isinstance(event.body, Caption):
                yield event.body
            elif isinstance(event.body, SegmentHidden):
                yield from event.body.captions


class History:
    """Durable events by session, bounded both ways."""

    def __init__(self, session_limit: int, session_event_limit: int) -> None:
        self._session_limit = session_limit
        self._session_event_limit = session_event_limit
        self.clear()

    def clear(self) -> None:
        self._sessions: OrderedDict[str, SessionRecord] = OrderedDict()
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._forgotten: OrderedDict[str, Event] = OrderedDict()  # in the order of their sequences
        self._trimmed_sequence = 0  # trimmed upstream, or with a session that left
        self._upstream_trimmed_sequence = 0

    def trim_to(self, sequence: int) -> None:
        """Notes that the upstream has nothing up to `sequence` any more."""
        self._upstream_trimmed_sequence = max(self._upstream_trimmed_sequence, sequence)

    def session(self, session_id: str) -> SessionRecord | None:
        return self._sessions.get(session_id)

    def sessions(self) -> list[SessionRecord]:
        """Newest first."""
        return list(reversed(self._sessions.values()))

    def is_gone(self, session_id: str) -> bool:
        """Whether the session had to make room for newer ones, or was forgotten."""
        return session_id in self._gone or session_id in self._forgotten

    def add(self, event: Event) -> SessionRecord | None:
        """Keeps a durable event; returns the session that had to leave for it, if one had."""
        record = self._sessions.get(event.session_id)
        left = None
        if record is None:
            record = SessionRecord(event.session_id)
            if not isinstance(event.body, SessionStarted):
                record.trimmed_sequence = self._upstream_trimmed_sequence
            self._sessions[event.session_id] = record
            left = self._make_room(record)
        body = event.body
        if isinstance(body, SessionStarted):
            record.start_time = event.time
            record.title = body.title
            record.source_language = body.source_language
            record.target_languages = body.target_languages
        elif isinstance(body, SessionEnded):
            record.is_live = False
            record.is_held = False
        elif isinstance(body, SessionHeld):
            record.is_held = body.is_held
        elif isinstance(body, SegmentHidden):
            if body.is_hidden:
                record.hidden_segments.add(body.segment_id)
            else:
                record.hidden_segments.discard(body.segment_id)
        elif isinstance(body, Caption):
            key = (body.segment_id, body.language)
            known = record.final_revisions.get(key, 0)
            record.final_revisions[key] = max(known, body.revision)
        record.events.append(event)
        if len(record.events) > self._session_event_limit:
            self._trim(record)
        return left

    def forget(self, event: Event) -> None:
        """Drops a session; the event that says so is kept for displays that come back."""
        self._sessions.pop(event.session_id, None)
        self._gone.pop(event.session_id, None)
        self._forgotten[event.session_id] = event
        if len(self._forgotten) > _FORGOTTEN_SESSIONS_REMEMBERED:
            _, oldest = self._forgotten.popitem(last=False)
            self._trimmed_sequence = max(self._trimmed_sequence, oldest.sequence)

    def is_stale(self, session_id: str, partial: Caption) -> bool:
        """Whether a partial comes after its final."""
        record = self._sessions.get(session_id)
        return record is not None and (
            (partial.segment_id, partial.language) in record.final_revisions
        )

    def after(self, session_id: str, after_sequence: int) -> list[Event]:
        """The events after a sequence, in order: of one session, or of all when empty.

        0 asks for all there is, but for what is hidden. Whole sessions that made room are not
        missed then, but the beginning of a session that is still here is. Of a forgotten session
        there is the event that says so.

        Raises:
            OutOfRange: HISTORY_TRIMMED, with the oldest_sequence from which on nothing is missing.
        """
        records = [self._sessions[session_id]] if session_id else list(self._sessions.values())
        complete_from = max((each.trimmed_sequence for each in records), default=0)
        if not session_id and after_sequence > 0:
            complete_from = max(
                complete_from, self._trimmed_sequence, self._upstream_trimmed_sequence
            )
        if after_sequence < complete_from:
            raise OutOfRange(
                "HISTORY_TRIMMED",
                f"events up to {complete_from} are no longer kept; "
                f"subscribe after sequence {complete_from} for what is",
                oldest_sequence=complete_from + 1,
            )
        runs = [
            [event for event in _newer(each.events, after_sequence) if each.shows(event)]
            for each in records
        ]
        if not session_id:
            runs.append([e for e in self._forgotten.values() if e.sequence > after_sequence])
        return list(merge(*runs, key=lambda each: each.sequence))

    def _trim(self, record: SessionRecord) -> None:
        event = record.events.popleft()
        record.trimmed_sequence = event.sequence
        if isinstance(event.body, Caption):
            key = (event.body.segment_id, event.body.language)
            if record.final_revisions.get(key) == event.body.revision:
                del record.final_revisions[key]

    def _make_room(self, newest: SessionRecord) -> SessionRecord | None:
        if len(self._sessions) <= self._session_limit:
            return None
        others = [each for each in self._sessions.values() if each is not newest]
        leaves = next((each for each in others if not each.is_live), others[0])
        del self._sessions[leaves.session_id]
        last_sequence = leaves.events[-1].sequence if leaves.events else 0
        self._trimmed_sequence = max(self._trimmed_sequence, last_sequence)
        self._gone[leaves.session_id] = None
        if len(self._gone) > _GONE_SESSIONS_REMEMBERED:
            self._gone.popitem(last=False)
        return leaves


def _newer(events: deque[Event], after_sequence: int) -> list[Event]:
    """The tail of `events` after a sequence; a resume mostly wants few, so from the end."""
    count = 0
    for event in reversed(events):
        if event.sequence <= after_sequence:
            break
        count += 1
    return list(islice(events, len(events) - count, None))
