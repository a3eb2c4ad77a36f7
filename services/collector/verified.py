"""Exported pairs, and what people found about them: reads lines of `./glossa queue export`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.collector.caps import caps
from services.collector.composite import Measured, stt_confidence
from services.collector.filters import words

_Unit = Annotated[float, Field(ge=0, le=1)]  # refuses NaN, too


@dataclass(frozen=True, slots=True)
class ExportedPair:
    """What a pair was judged by.

    Args:
        measured: with the confidence as the logistic curve gives it, not calibrated.
        caps: see caps.py.
    """

    pair_id: str
    session_id: str
    stt_model: str
    measured: Measured
    caps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedPair:
    """A pair that a person looked at.

    Args:
        is_good: no word of either text had to be changed.
        is_source_right: no word of the source had to be changed; None: nobody said.
    """

    pair: ExportedPair
    is_good: bool
    is_source_right: bool | None


def read_exported(lines: Iterable[bytes]) -> list[ExportedPair]:
    """The pairs of an export, each once; empty lines are passed over.

    Raises:
        ValueError: a line is no pair; the message names it.
    """
    return list({line.key: line.pair() for line in _parsed(lines)}.values())


def read_verified(lines: Iterable[bytes]) -> list[VerifiedPair]:
    """The verified pairs of an export, each once, as its newest decision leaves it.

    A line counts by its `is_good` (and `is_source_right`), else by its `decision`: accepted, or
    fixed without a change of words, is good; rejected is bad, and its source counts as wrong, as
    whatever can be put right is fixed. Undecided and withdrawn pairs are passed over.

    Raises:
        ValueError: a line is no pair; the message names it.
    """
    newest: dict[str, _Line] = {}
    for line in _parsed(lines):
        known = newest.get(line.key)
        if known is None or line.review_revision >= known.review_revision:
            newest[line.key] = line
    found = []
    for line in newest.values():
        labels = line.labels()
        if labels is not None:
            found.append(VerifiedPair(line.pair(), *labels))
    return found


class _Line(BaseModel):
    """A line of an export; texts are beside it under their languages."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    number: int
    session_id: str = Field(min_length=1)
    pair_id: str = ""
    stt_model: str = ""
    avg_logprob: float | None = None
    translation_qe: _Unit | None = None
    marian_agreement: _Unit | None = None
    signals: dict[str, _Unit | None] = {}
    flags: list[str] = []
    missing_terms: list[Any] = []
    decision: Literal["accepted", "fixed", "rejected", "withdrawn"] | None = None
    review_revision: int = 0
    is_good: bool | None = None
    is_source_right: bool | None = None
    source_language: str = ""
    target_language: str = ""
    original_source_text: str | None = None
    original_target_text: str | None = None

    @property
    def key(self) -> str:
        return self.pair_id or f"line {self.number}"

    def pair(self) -> ExportedPair:
        return ExportedPair(
            pair_id=self.key,
            session_id=self.session_id,
            stt_model=self.stt_model,
            measured=Measured(
                translation_qe=self.translation_qe,
                stt_confidence=(
                    None if self.avg_logprob is None else stt_confidence(self.avg_logprob)
                ),
                marian_agreement=self.marian_agreement,
                heuristic_quality=self.signals.get("heuristic_quality"),
            ),
            caps=caps(self.signals, self.flags, self.missing_terms),
        )

    def labels(self) -> tuple[bool, bool | None] | None:
        """(is_good, is_source_right), or None when nobody decided."""
        if self.is_good is not None:
            is_right = self.is_source_right
            return self.is_good, True if self.is_good and is_right is None else is_right
        if self.decision == "accepted":
            return True, True
        if self.decision == "rejected":
            return False, False
        if self.decision == "fixed":
            source_kept = self._kept(self.source_language, self.original_source_text)
            target_kept = self._kept(self.target_language, self.original_target_text)
            return source_kept and target_kept, source_kept
        return None

    def _kept(self, language: str, original: str | None) -> bool:
        """Whether a text still has the words that it had before a person changed it."""
        text = (self.model_extra or {}).get(language)
        if original is None or not isinstance(text, str):
            raise ValueError(
                f"line {self.number}: a fixed pair needs both texts and what they were before "
                "(original_source_text, original_target_text); export it with "
                "`./glossa queue export --band corrected`, or give it is_good"
            )
        return words(text) == words(original)


def _parsed(lines: Iterable[bytes]) -> Iterator[_Line]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise ValueError(f"line {number}: not a JSON object")
            yield _Line.model_validate(fields | {"number": number})
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"line {number}: not JSON: {error}") from error
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(str(part) for part in problem["loc"])
            raise ValueError(f"line {number}: {place}: {problem['msg']}") from error
