"""What a stream tells its client. Offsets count from the session's first sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from services.stt.corrections import Correction
from services.stt.filters import Flag, SuppressionReason

# "second_pass": an earlier decode was thrown away.
FinalFlag = Flag | Literal["second_pass"]


@dataclass(frozen=True)
class Started:
    segment_id: int
    start_offset_ms: int


@dataclass(frozen=True)
class Partial:
    segment_id: int
    revision: int
    stable_text: str
    unstable_text: str
    start_offset_ms: int
    end_offset_ms: int
    model: str  # "engine/model"


@dataclass(frozen=True)
class FinalWord:
    text: str
    start_offset_ms: int
    end_offset_ms: int
    probability: float | None


@dataclass(frozen=True)
class Final:
    segment_id: int
    revision: int
    text: str
    words: tuple[FinalWord, ...]
    start_offset_ms: int
    end_offset_ms: int
    endpoint_offset_ms: int
    avg_logprob: float | None
    no_speech_prob: float
    compression_ratio: float
    engine_ms: float
    engine_queue_ms: float
    model: str  # "engine/model", the one that gave the text
    corrections: tuple[Correction, ...] = ()
    homophones: tuple[Correction, ...] = ()
    flags: tuple[FinalFlag, ...] = ()


@dataclass(frozen=True)
class Suppressed:
    segment_id: int
    reason: SuppressionReason
    start_offset_ms: int
    end_offset_ms: int
    text: str = ""  # what was heard


Outcome = Final | Suppressed


@dataclass(frozen=True)
class Event:
    """What the client is told; `body` None: only settled_sample moved."""

    settled_sample: int
    body: Started | Partial | Final | Suppressed | None
