"""A source text and its translation, as they come from the journal and as they are collected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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

    @property
    def pair_id(self) -> str:
        """Unique and stable over every re-delivery."""
        return f"{self.session_id}/{self.segment_id}/{self.target_language}"

    def signal(self, name: str) -> float | None:
        """The value of a signal, None when it is missing or was not measured."""
        return next((signal.value for signal in self.signals if signal.name == name), None)


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """A pair with its band. `quality_score` is the composite, whatever kept the band lower."""

    pair: Pair
    band: Band
    quality_score: float
    stt_confidence: float | None
    translation_qe: float | None
    marian_agreement: float | None


@dataclass(frozen=True, slots=True)
class ExcludedPair:
    """A pair that is not worth an entry, with the stable reason; only counted."""

    pair: Pair
    reason: str


Verdict = ScoredPair | ExcludedPair
