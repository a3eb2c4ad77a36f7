"""What the journal tells of one session, as a report is made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.collector.pair import Judged, ReviewedPair, ScoredPair


@dataclass(frozen=True, slots=True)
class Mended:
    """Words of a transcript that sound like a term: what was heard, and the term."""

    heard: str
    intended: str


@dataclass(frozen=True, slots=True)
class Final:
    """A final transcript.

    Args:
        time: when it was journalled, in UTC.
        start_offset_ms: start of the speech, from the session's first sample.
        end_offset_ms: end of the speech, from the session's first sample.
        endpoint_offset_ms: where its end was decided, from the session's first sample.
        engine_ms: time in the recogniser, waiting included.
        corrections: what was put in place of what was heard.
        homophones: what was left as it was heard.
        erased_word_count: words of its partials that were shown and taken back; None: not counted.
    """

    segment_id: int
    time: datetime
    text: str
    model: str
    start_offset_ms: int
    end_offset_ms: int
    endpoint_offset_ms: int
    engine_ms: float
    flags: tuple[str, ...]
    corrections: tuple[Mended, ...]
    homophones: tuple[Mended, ...]
    erased_word_count: int | None = None


@dataclass(frozen=True, slots=True)
class Translated:
    """A final's translation; terms are (source, target).

    Args:
        erased_word_count: words of its drafts that were shown and taken back; None: not counted.
    """

    segment_id: int
    language: str
    time: datetime
    text: str
    model: str
    engine_ms: float
    flags: tuple[str, ...]
    required_terms: tuple[tuple[str, str], ...]
    missing_terms: tuple[tuple[str, str], ...]
    erased_word_count: int | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Audio that was not recognised; `reason` is empty when it never came."""

    start_offset_ms: int
    end_offset_ms: int
    reason: str


@dataclass(slots=True)
class SessionRecord:
    """One session, in the order of its journal.

    Args:
        judged: the pairs as the collector judges them, each with when it was scored.
        reviews: people's decisions, oldest first.
        corrected_texts: texts that a person changed, those of reviews included.
        suppressed: reasons why segments were not shown.
        failed: reasons why finals were not translated.
    """

    session_id: str
    journal_id: str = ""
    title: str = ""
    source_language: str = ""
    target_languages: tuple[str, ...] = ()
    keeps_audio: bool = False
    start_time: datetime | None = None
    end_time: datetime | None = None
    end_reason: str = ""
    finals: list[Final] = field(default_factory=list)
    translations: list[Translated] = field(default_factory=list)
    judged: list[tuple[datetime, Judged]] = field(default_factory=list)
    reviews: list[ReviewedPair] = field(default_factory=list)
    corrected_texts: int = 0
    gaps: list[Gap] = field(default_factory=list)
    suppressed: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def scored(self) -> list[ScoredPair]:
        """The pairs that have a score."""
        return [judged for _, judged in self.judged if isinstance(judged, ScoredPair)]

    @property
    def came_in_real_time(self) -> bool:
        """Whether it was heard as it was spoken; of a recording fed faster, captions come early."""
        return all(self.since_start_ms(each.time) >= each.end_offset_ms for each in self.finals)

    def since_start_ms(self, time: datetime) -> float:
        """A time on the clock as milliseconds from the session's beginning."""
        assert self.start_time is not None  # noqa: S101  a session begins with its start
        return (time - self.start_time).total_seconds() * 1000

    def minute_of(self, time: datetime) -> float:
        """A time on the clock as minutes from the session's beginning."""
        return self.since_start_ms(time) / 60_000
