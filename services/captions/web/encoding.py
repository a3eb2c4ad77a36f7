"""Events as bytes for browsers: made once, whoever many they go to."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import lru_cache

from services.captions.events import (
    Caption,
    CaptionDropped,
    CaughtUp,
    Event,
    Screens,
    SegmentHidden,
    SessionEnded,
    SessionForgotten,
    SessionHeld,
    SessionReset,
    SessionStarted,
)

# The journal_id is part of what is sent.
Encoder = Callable[[Event, str], bytes]

_REMEMBERED = 4096
_TEXT_FRAME = b"\x81"  # the last fragment of a text: RFC 6455, 5.2
_BODY_NAMES: dict[type, str] = {
    SessionStarted: "session_started",
    Caption: "caption",
    CaptionDropped: "caption_dropped",
    SessionEnded: "session_ended",
    SessionForgotten: "session_forgotten",
    SegmentHidden: "segment_hidden",
    SessionHeld: "session_held",
    SessionReset: "session_reset",
    Screens: "screens",
    CaughtUp: "caught_up",
}


def forget_events() -> None:
    """Drops every text that is remembered."""
    for remembered in (_event_json, websocket_frame, sse_message, sse_chunk):
        remembered.cache_clear()


@lru_cache(maxsize=_REMEMBERED)
def websocket_frame(event: Event, journal_id: str) -> bytes:
    """The event as a whole unmasked text frame."""
    payload = _event_json(event, journal_id)
    length = len(payload)
    if length < 126:
        header = bytes((length,))
    elif length < 1 << 16:
        header = b"\x7e" + length.to_bytes(2, "big")
    else:
        header = b"\x7f" + length.to_bytes(8, "big")
    return _TEXT_FRAME + header + payload


@lru_cache(maxsize=_REMEMBERED)
def sse_message(event: Event, journal_id: str) -> bytes:
    """The event for an EventSource; what can be resumed after has an id."""
    identity = b"id: %d\n" % event.sequence if event.sequence else b""
    return identity + b"data: %b\n\n" % _event_json(event, journal_id)


@lru_cache(maxsize=_REMEMBERED)
def sse_chunk(event: Event, journal_id: str) -> bytes:
    return chunk(sse_message(event, journal_id))


def chunk(content: bytes) -> bytes:
    """One chunk of an HTTP/1.1 body: RFC 9112, 7.1."""
    return b"%x\r\n%b\r\n" % (len(content), content)


@lru_cache(maxsize=_REMEMBERED)
def _event_json(event: Event, journal_id: str) -> bytes:
    """The fields of SubscribeResponse by their proto names, all of them, numbers as numbers.

    One line: what JSON escapes are the line ends inside texts.
    """
    text = json.dumps(
        {
            "sequence": event.sequence,
            "session_id": event.session_id,
            "time": event.time.isoformat() if event.time else None,
            _BODY_NAMES[type(event.body)]: dataclasses.asdict(event.body),
            "journal_id": journal_id,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return text.encode()
