"""Caption events as this service holds them, between the wire formats of its two sides."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SessionStarted:
    title: str
    source_language: str
    target_languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Caption:
    """A segment's whole current text in one language; offsets from the session's first sample."""

    segment_id: int
    language: str
    revision: int
    is_final: bool
    stable_text: str
    unstable_text: str
    start_offset_ms: int
    end_offset_ms: int
    is_source: bool
    is_corrected: bool
    endpoint_offset_ms: int
    engine_ms: float
    model: str


@dataclass(frozen=True, slots=True)
class CaptionDropped:
    """Takes the partials of a segment away: of one language, or of all when it is empty."""

    segment_id: int
    language: str = ""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    final_count: int


@dataclass(frozen=True, slots=True)
class SessionForgotten:
    """Everything of a session was deleted."""


@dataclass(frozen=True, slots=True)
class SegmentHidden:
    """A final leaves the screens; or comes back, with its captions as they are now."""

    segment_id: int
    is_hidden: bool
    captions: tuple[Caption, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionHeld:
    """A session is held, or goes on."""

    is_held: bool


@dataclass(frozen=True, slots=True)
class SessionReset:
    """Screens that roll are emptied of everything up to `segment_id`."""

    segment_id: int


@dataclass(frozen=True, slots=True)
class Screens:
    """What all screens show; the newest wins. Its event belongs to no session."""

    is_blank: bool
    announcement: str
    language: str


@dataclass(frozen=True, slots=True)
class CaughtUp:
    sequence: int


Body = (
    SessionStarted
    | Caption
    | CaptionDropped
    | SessionEnded
    | SessionForgotten
    | SegmentHidden
    | SessionHeld
    | SessionReset
    | Screens
    | CaughtUp
)


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """One event. `sequence` is 0 for what is live only; equality is identity."""

    sequence: int
    session_id: str
    time: datetime | None
    body: Body


def matches_language(language: str, wanted: tuple[str, ...]) -> bool:
    """Whether a BCP 47 `language` is one of `wanted`: "es" takes "es-MX" too; empty takes all."""
    spoken = language.lower()
    return not wanted or any(
        spoken == each.lower() or spoken.startswith(each.lower() + "-") for each in wanted
    )
