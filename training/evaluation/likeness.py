"""How like each other the outputs of two models are, for the same texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """sacreBLEU's and chrF++'s figures for a corpus, 0 to 100."""

    bleu: float
    chrf: float


@dataclass(frozen=True)
class Likeness:
    """An export beside the model it was made from.

    Args:
        identical_share: outputs that are the same to the letter, 0 to 1.
        between: the export's outputs, with those of its source as references.
        source, export: each against a person's translations; None without such.
        signatures: of the two scores, by their names.
    """

    count: int
    identical_share: float
    between: Score
    source: Score | None
    export: Score | None
    signatures: dict[str, str]


def compare(
    of_source: Sequence[str], of_export: Sequence[str], references: Sequence[str] = ()
) -> Likeness:
    """Compares outputs of the same texts, in order."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    bleu, chrf = BLEU(), CHRF(word_order=2)

    def score(outputs: Sequence[str], expected: Sequence[str]) -> Score:
        return Score(
            round(bleu.corpus_score(outputs, [expected]).score, 2),
            round(chrf.corpus_score(outputs, [expected]).score, 2),
        )

    pairs = list(zip(of_source, of_export, strict=True))
    return Likeness(
        count=len(pairs),
        identical_share=round(sum(one == other for one, other in pairs) / len(pairs), 4),
        between=score(of_export, of_source),
        source=score(of_source, references) if references else None,
        export=score(of_export, references) if references else None,
        signatures={"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())},
    )
