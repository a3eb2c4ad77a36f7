"""report.json as far as the page reads it: the collector's figures of one session.

The file lies in a folder that people copy about, so each value is checked as it is read.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

_Count = Annotated[int, Field(ge=0, le=10**9)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class _SessionPart(_Part):
    session_id: str
    title: str
    start_time: AwareDatetime
    speech_s: Annotated[FiniteFloat, Field(ge=0)]
    stt_models: list[str]
    mt_models: list[str]


class _Segments(_Part):
    finals: _Count
    suppressed: dict[str, _Count]
    untranslated: dict[str, _Count]


class _LanguagePairs(_Part):
    bands: dict[str, _Count]


class _Pairs(_Part):
    by_language: dict[str, _LanguagePairs]


class _Term(_Part):
    count: _Count
    missing: _Count


class _Terms(_Part):
    glossary: list[_Term]


class Change(_Part):
    """What a reviewer made of what was heard."""

    source_before: str
    source_after: str


class _Review(_Part):
    source_words: _Count = 0  # reports of earlier versions have none
    changes: list[Change]


class _Percentiles(_Part):
    p95: FiniteFloat | None


class _Lag(_Part):
    in_real_time: bool
    target_caption: _Percentiles | None = None


class _Score(_Part):
    values: list[FiniteFloat]


class Report(_Part):
    """One report."""

    session: _SessionPart
    segments: _Segments
    pairs: _Pairs
    terms: _Terms
    review: _Review
    lag_ms: _Lag
    scores: dict[str, _Score]


def report_of(text: bytes) -> Report:
    """Raises ValueError for what is no report, naming the first place that is wrong."""
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"]) or "the file"
        raise ValueError(f"it is no report: {place}: {problem['msg']}") from error
