"""The three tiers of a dataset: what is accepted, what is new, and everyday language. Pure.

Every choice follows from the candidates and the seed alone, whatever order they come in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.collector.bands import BANDS, Band
from services.collector.candidate import Candidate
from services.collector.diversity import Vocabulary, lot, weight
from services.collector.duplicates import Sentences, clusters
from services.collector.general import GeneralPair, draw
from services.collector.row import Row, Tier

GENERAL_SHARES = (0.05, 0.10)  # docs/architecture.md, Collection: of the whole dataset
_LEAST_CHANCE = 0.01  # a moderate sentence of common words alone may still be drawn


@dataclass(frozen=True, slots=True)
class Draw:
    """How a dataset is drawn.

    Args:
        seed: the same seed draws the same rows from the same candidates.
        min_band: the lowest band that is accepted unseen.
        diversity_share: size of the second tier as a share of the first, [0, 1].
        general_share: size of the third tier as a share of the whole: 0 or in GENERAL_SHARES.

    Raises:
        ValueError: a share is outside its range, or the band is below moderate.
    """

    seed: int = 0
    min_band: Band = Band.ACCEPT
    diversity_share: float = 0.20
    general_share: float = 0.07

    def __post_init__(self) -> None:
        if self.min_band not in (Band.ACCEPT, Band.MODERATE):
            raise ValueError("only accept and moderate pairs may go in without a person's word")
        if not 0.0 <= self.diversity_share <= 1.0:
            raise ValueError("the share of the diversity tier must be between 0 and 1")
        least, most = GENERAL_SHARES
        if self.general_share and not least <= self.general_share <= most:
            raise ValueError(
                f"the share of the general tier must be 0, or between {least:.2f} and {most:.2f}"
            )

    @property
    def bands(self) -> tuple[Band, ...]:
        """The bands whose pairs are accepted unseen."""
        return BANDS[: BANDS.index(self.min_band) + 1]


def select(
    candidates: Iterable[Candidate],
    options: Draw,
    general: Iterable[GeneralPair] = (),
    held_out: Iterable[str] = (),
) -> list[Row]:
    """The rows of one language pair, tier by tier.

    Near duplicates stay in the first tier, each with less weight; the other tiers take none of
    them, nor one of what an earlier tier has. The first row of a cluster is its representative: a
    person's text before the machine's, then the better score.

    Args:
        candidates: of one language pair, each pair once.
        general: what the third tier is drawn from.
        held_out: source texts that no tier may hold, nor a near duplicate of them.
    """
    kept_back = Sentences()
    for text in held_out:
        kept_back.add(text)
    ordered = sorted(candidates, key=_best_first)
    vocabulary = Vocabulary(candidate.source_text for candidate in ordered)
    free = [candidate for candidate in ordered if not kept_back.like(candidate.source_text)]
    seen = Sentences()
    numbers = clusters([candidate.source_text for candidate in free], seen)
    clustered = list(zip(free, numbers, strict=True))
    accepted = [
        (candidate, cluster)
        for candidate, cluster in clustered
        if candidate.is_gold or candidate.band in options.bands
    ]
    rows = _accepted_rows(accepted, vocabulary)
    taken = {cluster for _, cluster in accepted}
    moderate = [
        (candidate, cluster)
        for candidate, cluster in clustered
        if candidate.band == Band.MODERATE and cluster not in taken
    ]
    drawn = round(options.diversity_share * len(rows))
    rows += _diversity_rows(moderate, vocabulary, options.seed, drawn)
    drawn = round(options.general_share / (1.0 - options.general_share) * len(rows))
    new = _general_rows(seen, kept_back, general, options.seed, drawn, len(set(numbers)))
    return rows + new


def _best_first(candidate: Candidate) -> tuple[bool, float, str]:
    return not candidate.is_gold, -(candidate.quality_score or 0.0), candidate.pair_id


def _accepted_rows(accepted: Sequence[tuple[Candidate, int]], vocabulary: Vocabulary) -> list[Row]:
    sizes = Counter(cluster for _, cluster in accepted)
    return [
        _row(Tier.ACCEPTED, candidate, cluster, sizes[cluster], vocabulary)
        for candidate, cluster in accepted
    ]


def _diversity_rows(
    moderate: Sequence[tuple[Candidate, int]], vocabulary: Vocabulary, seed: int, count: int
) -> list[Row]:
    """One candidate of a cluster, its best; drawn with chances that follow their novelty."""
    representatives: dict[int, Candidate] = {}
    for candidate, cluster in moderate:
        representatives.setdefault(cluster, candidate)
    lots = sorted(
        representatives.items(),
        key=lambda item: lot(
            seed,
            item[1].pair_id,
            max(_LEAST_CHANCE, vocabulary.novelty(item[1].source_text)),
        ),
        reverse=True,
    )
    return [
        _row(Tier.DIVERSITY, candidate, cluster, 1, vocabulary)
        for cluster, candidate in lots[:count]
    ]


def _general_rows(
    seen: Sentences,
    kept_back: Sentences,
    general: Iterable[GeneralPair],
    seed: int,
    count: int,
    first_cluster: int,
) -> list[Row]:
    def is_new(pair: GeneralPair) -> bool:
        if kept_back.like(pair.source_text) or seen.like(pair.source_text):
            return False
        seen.add(pair.source_text)
        return True

    return [
        Row(Tier.GENERAL, 1.0, first_cluster + number, pair.source_text, pair.target_text)
        for number, pair in enumerate(draw(general, count, seed, is_new))
    ]


def _row(
    tier: Tier, candidate: Candidate, cluster: int, copies: int, vocabulary: Vocabulary
) -> Row:
    value = weight(copies, vocabulary.novelty(candidate.source_text))
    return Row(tier, value, cluster, candidate.source_text, candidate.target_text, candidate)
