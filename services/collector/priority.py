"""Which pairs a person should look at, and how urgently. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.collector.bands import BANDS, Band, best_reachable
from services.collector.caps import (
    DOUBTFUL_SPEECH,
    DOUBTFUL_TRANSLATION,
    MISSING_TERM,
    NEGATION,
    NUMBER,
)
from services.collector.composite import Measured
from services.collector.pair import ScoredPair

# With those of caps.py the names of ReviewItem.reasons in collector.proto.
LOW_SCORE = "low_score"
DISAGREEMENT = "disagreement"
NOT_MEASURED = "not_measured"

# How likely each doubt is to be a real error, as an editor would order them: what turns a sentence
# round or changes a verse first, then what loses a term or tells of a broken tier. They are chosen,
# not fitted; `./glossa queue calibrate` fits what decides on acceptance.
WEIGHTS = {
    NEGATION: 0.45,
    NUMBER: 0.40,
    DOUBTFUL_TRANSLATION: 0.35,
    MISSING_TERM: 0.30,
    DOUBTFUL_SPEECH: 0.25,
    NOT_MEASURED: 0.10,
}
# Two right translations of a sentence seldom agree less; the weight grows from here to zero
# agreement, as near to this there is little in it.
LEAST_AGREEMENT = 0.5
DISAGREEMENT_WEIGHT = 0.30


@dataclass(frozen=True, slots=True)
class Priority:
    """How much a pair needs a person.

    Args:
        value: [0, 1], greater is more urgent.
        reasons: by stable names, the weightiest first; at least one.
    """

    value: float
    reasons: tuple[str, ...]


def review_priority(scored: ScoredPair) -> Priority | None:
    """The priority of a pair that a person should look at; None for one that nobody needs to see.

    That is every pair in the bands moderate and review. Each doubt counts as an independent chance
    of an error: the priority is the chance of one at least, 1 - score * (1 - weight) * (1 - weight)
    ..., so it lies within [0, 1], and neither a lower score nor a further doubt ever lowers it.
    """
    if scored.band in (Band.ACCEPT, Band.REJECT):
        return None
    measured = Measured(
        translation_qe=scored.translation_qe,
        stt_confidence=scored.stt_confidence,
        marian_agreement=scored.marian_agreement,
        heuristic_quality=scored.pair.signal("heuristic_quality"),
    )
    doubts = {cap: WEIGHTS[cap] for cap in scored.caps}
    if not measured.is_complete:
        doubts[NOT_MEASURED] = WEIGHTS[NOT_MEASURED]
    if scored.marian_agreement is not None and scored.marian_agreement < LEAST_AGREEMENT:
        doubts[DISAGREEMENT] = DISAGREEMENT_WEIGHT * (1 - scored.marian_agreement / LEAST_AGREEMENT)
    certainty = scored.quality_score * math.prod(1.0 - weight for weight in doubts.values())
    reachable = best_reachable(measured, scored.caps)
    if BANDS.index(scored.band) > BANDS.index(reachable):  # nothing else kept it this low
        doubts[LOW_SCORE] = 1.0 - scored.quality_score
    return Priority(1.0 - certainty, tuple(sorted(doubts, key=lambda name: -doubts[name])))
