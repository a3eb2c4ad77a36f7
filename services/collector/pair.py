"""A source text and its translation, as they come from the journal and as they are collected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.collector.bands import Band


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured property: [0, 1], greater is better; None when it could not be measured."""

    name: str
    value: float | None
    model: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A final transcript with its final translation.

    Args:
        sequence: of the journal event that it came in.
        time: when it was scored, in UTC.
        start_offset_ms: start of the speech, from the session's first sample.
        end_offset_ms: end of the speech, from the session's first sample.
        avg_logprob: mean natural logarithm of the word probabilities, <= 0.
        no_speech_prob: probability that there was no speech, [0, 1].
        compression_ratio: len(text) / len(zlib(text)) of the transcript.
        flags: what stt and mt find doubtful, as Transcript.flags and Translation.flags name it.
        missing_terms: glossary terms of the source, (source, target), that the target lacks.
    """

    sequence: int
    time: datetime
    session_id: str
    segment_id: int
    source_language: str
    target_language: str
    source_text: str
    target_text: str
    signals: tuple[Signal, ...]
    stt_model: str
    mt_model: str
    start_offset_ms: int
    end_offset_ms: int
    avg_logprob: float | None
    no_speech_prob: float | None
    compression_ratio: float | None
    flags: tuple[str, ...] = ()
    missing_terms: tuple[tuple[str, str], ...] = ()

    @property
    def pair_id(self) -> str:
        """Unique and stable over every re-delivery."""
        return f"{self.session_id}/{self.segment_id}/{self.target_language}"

    def signal(self, name: str) -> float | None:
        """The value of a signal, None when it is missing or was not measured."""
        return next((signal.value for signal in self.signals if signal.name == name), None)


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A pair with its band.

    Args:
        quality_score: the composite, whatever kept the band lower.
        stt_confidence: the recogniser's confidence, calibrated.
        caps: why the pair is not accepted whatever its score, by the names in caps.py.
        calibration: id of the calibration that it was judged with; empty for none.
    """

    pair: Pair
    band: Band
    quality_score: float
    stt_confidence: float | None
    translation_qe: float | None
    marian_agreement: float | None
    caps: tuple[str, ...] = ()
    calibration: str = ""


@dataclass(frozen=True, slots=True)
class ExcludedPair:
    """A pair that is not worth an entry, with the stable reason; only counted."""

    pair: Pair
    reason: str


# What the machine makes of a pair.
Judged = ScoredPair | ExcludedPair


class Decision(StrEnum):
    """What a person decided about a pair; the value is what entries and files say."""

    ACCEPTED = "accepted"
    FIXED = "fixed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"  # the decision before is taken back: the pair is open again


@dataclass(frozen=True, slots=True)
class ReviewedPair:
    """A person's decision about a pair.

    Args:
        machine: the pair as it was recognised, translated and judged.
        sequence: of the journal event that the decision came in.
        time: of the decision, in UTC.
        source_text: as it shall be; after WITHDRAWN as it is shown again.
        target_text: as it shall be; after WITHDRAWN as it is shown again.
        revision: counts the decisions on this pair from 1; the greatest wins.
    """

    machine: Judged
    sequence: int
    time: datetime
    decision: Decision
    source_text: str
    target_text: str
    reviewer: str
    review_id: str
    revision: int

    @property
    def pair(self) -> Pair:
        """The machine's pair."""
        return self.machine.pair

    @property
    def is_gold(self) -> bool:
        """Whether both texts were found right by a person."""
        return self.decision in (Decision.ACCEPTED, Decision.FIXED)


@dataclass(frozen=True, slots=True)
class ForgottenSession:
    """A session of which nothing may be kept."""

    sequence: int
    session_id: str


@dataclass(frozen=True, slots=True)
class ShownText:
    """A correction: the text of a segment that displays show from now on, in one language."""

    session_id: str
    segment_id: int
    language: str
    text: str


# What one journal event changes in what is collected.
Change = Judged | ReviewedPair | ShownText | ForgottenSession
