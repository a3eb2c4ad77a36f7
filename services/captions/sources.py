"""The two kinds of upstream, each read into caption events."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import grpc

from glossa.captions.v1 import captions_pb2, captions_pb2_grpc
from glossa.gateway.v1 import gateway_pb2, gateway_pb2_grpc
from services.captions.events import (
    Body,
    Caption,
    CaptionDropped,
    Event,
    Screens,
    SegmentHidden,
    SessionEnded,
    SessionForgotten,
    SessionHeld,
    SessionReset,
    SessionStarted,
)

# A translation or a correction that names an older segment than these shows without its offsets.
_SEGMENTS_REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class _Spoken:
    """What a segment's translations take from its transcript."""

    start_offset_ms: int
    end_offset_ms: int
    endpoint_offset_ms: int
    engine_ms: float


_UNKNOWN = _Spoken(0, 0, 0, 0.0)


class _Session:
    def __init__(self) -> None:
        self.source_language = ""
        self.segments: OrderedDict[int, _Spoken] = OrderedDict()

    def remember(self, transcript: Any) -> _Spoken:
        spoken = _Spoken(
            transcript.start_offset_ms,
            transcript.end_offset_ms,
            transcript.endpoint_offset_ms,
            transcript.engine_ms,
        )
        self.segments[transcript.segment_id] = spoken
        if len(self.segments) > _SEGMENTS_REMEMBERED:
            self.segments.popitem(last=False)
        return spoken


class GatewaySource:
    """Reads a gateway's journal: transcripts, translations and corrections become captions."""

    def __init__(self, channel: grpc.aio.Channel, session_limit: int) -> None:
        self._stub = gateway_pb2_grpc.JournalServiceStub(channel)
        self._session_limit = session_limit
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def open(self, after_sequence: int) -> Any:
        return self._stub.Follow(
            gateway_pb2.FollowRequest(after_sequence=after_sequence, live=True)
        )

    def sequence(self, message: Any) -> tuple[int, bool]:
        kind = message.WhichOneof("payload")
        if kind == "event":
            return message.event.sequence, False
        return (message.caught_up.sequence, True) if kind == "caught_up" else (0, False)

    def event(self, message: Any) -> Event | None:
        kind = message.WhichOneof("payload")
        body: Body | None
        if kind == "event":
            body = self._durable(message.event)
            sequence, session_id = message.event.sequence, message.event.session_id
            time = _time(message.event)
        elif kind == "live":
            body = self._live(message.live)
            sequence, session_id, time = 0, message.live.session_id, None
        else:
            body = None
        return None if body is None else Event(sequence, session_id, time, body)

    def forget(self) -> None:
        self._sessions.clear()

    def _session(self, session_id: str) -> _Session:
        session = self._sessions.get(session_id)
        if session is None:
            session = self._sessions[session_id] = _Session()
            if len(self._sessions) > self._session_limit:
                self._sessions.popitem(last=False)
        else:
            self._sessions.move_to_end(session_id)
        return session

    def _durable(self, event: Any) -> Body | None:
        if event.WhichOneof("event") == "session_forgotten":
            self._sessions.pop(event.session_id, None)
            return SessionForgotten()
        if event.WhichOneof("event") == "screens":
            return _screens(event.screens)
        session = self._session(event.session_id)
        match event.WhichOneof("event"):
            case "session_started":
                config = event.session_started.config
                session.source_language = config.source_language
                return SessionStarted(
                    config.title, config.source_language, tuple(config.target_languages)
                )
            case "transcript":
                return _source_caption(event.transcript, session)
            case "translation":
                return _target_caption(event.translation, session)
            case "translation_failed":  # its drafts would stay for ever
                failed = event.translation_failed
                return CaptionDropped(failed.segment_id, failed.language)
            case "correction":
                return _corrected_caption(event.correction, session)
            case "session_ended":
                return SessionEnded(event.session_ended.final_count)
            case "segment_hidden":
                hidden = event.segment_hidden
                return SegmentHidden(hidden.segment_id, hidden.is_hidden)
            case "session_held":
                return SessionHeld(event.session_held.is_held)
            case "session_reset":
                return SessionReset(event.session_reset.segment_id)
        # Scores, gaps, suppressed segments and the second mt's translations are not for displays;
        # neither is what a newer gateway adds.
        return None

    def _live(self, live: Any) -> Caption | CaptionDropped | None:
        session = self._session(live.session_id)
        match live.WhichOneof("update"):
            case "transcript":
                return _source_caption(live.transcript, session)
            case "translation":
                return _target_caption(live.translation, session)
            case "segment_dropped":
                session.segments.pop(live.segment_dropped.segment_id, None)
                return CaptionDropped(live.segment_dropped.segment_id)
        return None


def _source_caption(transcript: Any, session: _Session) -> Caption:
    spoken = session.remember(transcript)
    return Caption(
        segment_id=transcript.segment_id,
        language=transcript.language,
        revision=transcript.revision,
        is_final=transcript.is_final,
        stable_text=transcript.stable_text,
        unstable_text=transcript.unstable_text,
        start_offset_ms=spoken.start_offset_ms,
        end_offset_ms=spoken.end_offset_ms,
        is_source=True,
        is_corrected=False,
        endpoint_offset_ms=spoken.endpoint_offset_ms if transcript.is_final else 0,
        engine_ms=spoken.engine_ms if transcript.is_final else 0.0,
        model=transcript.model,
    )


def _target_caption(translation: Any, session: _Session) -> Caption:
    spoken = session.segments.get(translation.segment_id, _UNKNOWN)
    is_final = translation.is_final
    text, stable_text = translation.text, translation.stable_text
    if is_final or not text.startswith(stable_text):
        stable_text = text if is_final else ""
    return Caption(
        segment_id=translation.segment_id,
        language=translation.language,
        revision=translation.revision,
        is_final=is_final,
        stable_text=stable_text,
        unstable_text=text[len(stable_text) :].lstrip(),
        start_offset_ms=spoken.start_offset_ms,
        end_offset_ms=spoken.end_offset_ms,
        is_source=False,
        is_corrected=False,
        endpoint_offset_ms=spoken.endpoint_offset_ms if is_final else 0,
        engine_ms=spoken.engine_ms + translation.engine_ms if is_final else 0.0,
        model=translation.model,
    )


def _corrected_caption(correction: Any, session: _Session) -> Caption:
    spoken = session.segments.get(correction.segment_id, _UNKNOWN)
    return Caption(
        segment_id=correction.segment_id,
        language=correction.language,
        revision=correction.revision,
        is_final=True,
        stable_text=correction.text,
        unstable_text="",
        start_offset_ms=spoken.start_offset_ms,
        end_offset_ms=spoken.end_offset_ms,
        is_source=correction.language == session.source_language,
        is_corrected=True,
        endpoint_offset_ms=spoken.endpoint_offset_ms,
        engine_ms=0.0,
        model="",
    )


class RelaySource:
    """Reads another captions service: its events are passed on as they are."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = captions_pb2_grpc.CaptionServiceStub(channel)

    def open(self, after_sequence: int) -> Any:
        return self._stub.Subscribe(captions_pb2.SubscribeRequest(after_sequence=after_sequence))

    def sequence(self, message: Any) -> tuple[int, bool]:
        if message.WhichOneof("event") == "caught_up":
            return message.caught_up.sequence, True
        return message.sequence, False

    def event(self, message: Any) -> Event | None:
        body: Body
        match message.WhichOneof("event"):
            case "session_started":
                started = message.session_started
                body = SessionStarted(
                    started.title, started.source_language, tuple(started.target_languages)
                )
            case "caption":
                body = _caption(message.caption)
            case "caption_dropped":
                dropped = message.caption_dropped
                body = CaptionDropped(dropped.segment_id, dropped.language)
            case "session_ended":
                body = SessionEnded(message.session_ended.final_count)
            case "session_forgotten":
                body = SessionForgotten()
            case "segment_hidden":
                hidden = message.segment_hidden
                captions = tuple(_caption(each) for each in hidden.captions)
                body = SegmentHidden(hidden.segment_id, hidden.is_hidden, captions)
            case "session_held":
                body = SessionHeld(message.session_held.is_held)
            case "session_reset":
                body = SessionReset(message.session_reset.segment_id)
            case "screens":
                body = _screens(message.screens)
            case _:
                return None
        return Event(message.sequence, message.session_id, _time(message), body)

    def forget(self) -> None:
        """Nothing is remembered: a relayed caption is whole."""


def _caption(message: Any) -> Caption:
    return Caption(**{name: getattr(message, name) for name in Caption.__slots__})


def _screens(message: Any) -> Screens:
    return Screens(message.is_blank, message.announcement, message.language)


def _time(message: Any) -> datetime | None:
    return message.time.ToDatetime(tzinfo=UTC) if message.HasField("time") else None
