"""A session's finals in every language, as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.captions.events import matches_language
from services.errors import NotFound


@dataclass(frozen=True, slots=True)
class Word:
    """One word that was heard; offsets from the session's first sample."""

    text: str
    start_offset_ms: int
    end_offset_ms: int
    probability: float | None = None

    def moved(self, offset_ms: int) -> Word:
        """The same, said so much later."""
        return replace(
            self,
            start_offset_ms=self.start_offset_ms + offset_ms,
            end_offset_ms=self.end_offset_ms + offset_ms,
        )


@dataclass(frozen=True, slots=True)
class Text:
    """A segment in one language.

    Args:
        words: all of `text` in order, but for its blanks; empty where nothing tells their times.
    """

    text: str
    is_corrected: bool = False
    words: tuple[Word, ...] = ()

    def moved(self, offset_ms: int) -> Text:
        """The same, said so much later."""
        return replace(self, words=tuple(each.moved(offset_ms) for each in self.words))


@dataclass(frozen=True, slots=True)
class Segment:
    """A final that is not hidden, with its texts by BCP 47 language."""

    segment_id: int
    start_offset_ms: int
    end_offset_ms: int
    texts: Mapping[str, Text]

    def moved(self, offset_ms: int) -> Segment:
        """The same, said so much later."""
        return Segment(
            self.segment_id,
            self.start_offset_ms + offset_ms,
            self.end_offset_ms + offset_ms,
            {language: text.moved(offset_ms) for language, text in self.texts.items()},
        )


@dataclass(frozen=True, slots=True)
class Transcript:
    """A session and its segments in the order of speech."""

    session_id: str
    title: str
    start_time: datetime | None
    source_language: str
    target_languages: tuple[str, ...]
    is_live: bool
    segments: tuple[Segment, ...]

    @property
    def languages(self) -> tuple[str, ...]:
        """The language spoken, then those that it was translated into."""
        return (self.source_language, *self.target_languages)


def language_of(languages: Sequence[str], wanted: str) -> str:
    """The one of a session's languages that `wanted` names: "es" takes "es-MX", too.

    Raises:
        NotFound: UNKNOWN_LANGUAGE.
    """
    exact = (each for each in languages if each.lower() == wanted.lower())
    near = (each for each in languages if wanted and matches_language(each, (wanted,)))
    found = next(exact, None) or next(near, None)
    if found is None:
        raise NotFound(
            "UNKNOWN_LANGUAGE",
            f"this session has captions in {', '.join(languages)}",
            language=wanted[:40],
        )
    return found


def unknown_session(session_id: str) -> NotFound:
    return NotFound(
        "UNKNOWN_SESSION",
        "there is no such session here, or it was deleted; list the sessions",
        session_id=session_id[:80],
    )
