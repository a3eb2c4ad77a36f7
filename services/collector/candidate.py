"""What may go into a dataset: collected pairs, and what people decided about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from services.collector.pair import Decision
from services.collector.pair_keys import CORRECTED


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair as the collector exports it.

    Args:
        band: "accept", "moderate", "review" or "reject", or "corrected": an entry of a decision.
        quality_score: composite of the machine's pair, [0, 1]; None when it was excluded unscored.
        start_offset_ms: start of the speech, from the session's first sample.
        end_offset_ms: end of the speech, from the session's first sample.
        decision: what a person decided; None for a pair as the machine made it.
        revision: counts the decisions on this pair from 1; 0 for a pair as the machine made it.
        sequence: of the journal event that it came from.
    """

    pair_id: str
    session_id: str
    segment_id: int
    source_language: str
    target_language: str
    source_text: str
    target_text: str
    band: str
    quality_score: float | None
    stt_confidence: float | None
    translation_qe: float | None
    marian_agreement: float | None
    stt_model: str
    mt_model: str
    start_offset_ms: int
    end_offset_ms: int
    sequence: int
    decision: Decision | None = None
    revision: int = 0

    @property
    def languages(self) -> tuple[str, str]:
        """(source, target)."""
        return self.source_language, self.target_language

    @property
    def is_gold(self) -> bool:
        """Whether a person found both texts right, or put them right."""
        return self.decision in (Decision.ACCEPTED, Decision.FIXED)


class Candidates:
    """Every pair once, as the newest decision about it leaves it; fed in any order."""

    def __init__(self) -> None:
        self._machine: dict[str, Candidate] = {}
        self._decided: dict[str, Candidate] = {}

    def add(self, candidate: Candidate) -> None:
        """Takes an entry in. Of one pair's decisions the one of the greatest revision stands."""
        if candidate.band != CORRECTED:
            self._machine[candidate.pair_id] = candidate
            return
        known = self._decided.get(candidate.pair_id)
        if known is None or candidate.revision > known.revision:
            self._decided[candidate.pair_id] = candidate

    def __iter__(self) -> Iterator[Candidate]:
        """Gold pairs with the person's texts, and undecided ones; ordered by pair id.

        A rejected pair is in no band any more. A withdrawn decision is none.
        """
        for pair_id in sorted(self._machine.keys() | self._decided.keys()):
            decided = self._decided.get(pair_id)
            if decided is None or decided.decision is Decision.WITHDRAWN:
                machine = self._machine.get(pair_id)
                if machine is not None:
                    yield machine
            elif decided.is_gold:
                yield decided

    def decisions(self) -> dict[str, int]:
        """How many pairs have each decision as their newest, by its name."""
        return dict(
            sorted(
                Counter(
                    candidate.decision.value
                    for candidate in self._decided.values()
                    if candidate.decision is not None
                ).items()
            )
        )
