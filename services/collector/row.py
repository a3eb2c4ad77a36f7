"""A row of a dataset, and why it is in there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.collector.candidate import Candidate


class Tier(StrEnum):
    """Why a row is in a dataset."""

    ACCEPTED = "accepted"  # accepted unseen, or gold
    DIVERSITY = "diversity"  # moderate, drawn for its words
    GENERAL = "general"  # everyday language


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a dataset.

    Args:
        weight: what it counts in training, (0, 2].
        cluster: rows of a language pair with the same number hold nearly the same sentence.
        candidate: None in the general tier.
    """

    tier: Tier
    weight: float
    cluster: int
    source_text: str
    target_text: str
    candidate: Candidate | None = None
