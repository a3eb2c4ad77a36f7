"""Measures of translations and of transcripts, as counts that add up.

A measure gives each sentence a row of counts, and a score for their sum: so one way of drawing
sentences anew serves all of them, and a set's score is that of its whole text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sacrebleu
from numpy.typing import NDArray

from training.evaluation.kept import Kept

Counts = NDArray[np.float64]  # (sentences, counts)


@dataclass(frozen=True)
class Measure:
    """What can be said of a sum of counts.

    Args:
        score: of counts summed over sentences; nan where they say nothing.
        pools: sets are taken together as one text; else the mean of their scores counts, so that
            a small set counts as much as a large one.
        is_share: a share of 1, not points of 100.
    """

    name: str
    score: Callable[[NDArray[np.float64]], float]
    pools: bool = False
    is_share: bool = False


def share(sums: NDArray[np.float64]) -> float:
    """Of (kept, wanted)."""
    return float(sums[0] / sums[1]) if sums[1] else float("nan")


_BLEU = sacrebleu.BLEU()
_CHRF = sacrebleu.CHRF(word_order=2)


def _sacrebleu_score(metric: Any) -> Callable[[NDArray[np.float64]], float]:
    # As sacrebleu's own significance tests do it: these two are its seam for that.
    return lambda sums: float(metric._compute_score_from_stats([int(each) for each in sums]).score)


BLEU = Measure("bleu", _sacrebleu_score(_BLEU))
CHRF = Measure("chrf", _sacrebleu_score(_CHRF))
COMET = Measure("comet", share, is_share=True)
TERMS = Measure("terms", share, pools=True, is_share=True)
NUMBERS = Measure("numbers", share, pools=True, is_share=True)
REFERENCES = Measure("references", share, pools=True, is_share=True)
NAMES = Measure("names", share, pools=True, is_share=True)
DENIALS = Measure("denials", share, pools=True, is_share=True)
WER = Measure("wer", share, pools=True, is_share=True)
CER = Measure("cer", share, pools=True, is_share=True)


def bleu_counts(translations: Sequence[str], references: Sequence[str]) -> Counts:
    return _sacrebleu_counts(_BLEU, translations, references)


def chrf_counts(translations: Sequence[str], references: Sequence[str]) -> Counts:
    return _sacrebleu_counts(_CHRF, translations, references)


def sentence_chrf(counts: Counts) -> list[float]:
    """chrF++ of each sentence by itself."""
    return [CHRF.score(row) for row in counts]


def kept_counts(found: Sequence[Kept]) -> Counts:
    """(kept, wanted and invented) of each sentence."""
    return np.array(
        [(each.kept, each.wanted + each.invented) for each in found], dtype=np.float64
    ).reshape(-1, 2)


def mean_counts(scores: Sequence[float]) -> Counts:
    """For the mean of sentences' scores."""
    return np.array([(score, 1.0) for score in scores], dtype=np.float64).reshape(-1, 2)


def signatures() -> dict[str, str]:
    """What sacrebleu computed; two figures with different signatures cannot be compared."""
    # A signature knows how many references there were once a corpus was seen.
    _BLEU.corpus_score(["a"], [["a"]])
    _CHRF.corpus_score(["a"], [["a"]])
    return {"bleu": str(_BLEU.get_signature()), "chrf": str(_CHRF.get_signature())}


def _sacrebleu_counts(
    metric: Any, translations: Sequence[str], references: Sequence[str]
) -> Counts:
    counts = metric._extract_corpus_statistics(list(translations), [list(references)])
    return np.array(counts, dtype=np.float64)
