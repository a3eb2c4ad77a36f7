"""Judges translations: every measure on every set, by register and over all, old against new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.mt import runaway
from services.mt.engine import LanguagePair
from training.evaluation import kept, measures
from training.evaluation.bootstrap import Judged, judged
from training.evaluation.measures import Counts, Measure
from training.evaluation.sets import EvaluationSet, Register, Variant
from training.rows import Row

# (source, translation, reference) of each sentence -> its score
Comet = Callable[[Sequence[tuple[str, str, str]]], list[float]]

# The check of a kind of thing, and the measure of it.
_KEPT: dict[Measure, Callable[[Row, str], kept.Kept]] = {
    measures.NUMBERS: kept.numbers,
    measures.REFERENCES: kept.references,
    measures.NAMES: kept.names,
    measures.DENIALS: kept.denials,
}


@dataclass(frozen=True)
class SystemResult:
    """What one model's translations of one set came to.

    Args:
        counts: by measure, a row a sentence.
        sentence_chrf: chrF++ of each sentence.
        lost: for each sentence what its translation lost or invented.
        term_categories: (kept, wanted) by category.
        doubts: how often services.mt.runaway doubts, by its reason.
        voices: for each sentence the model that translated it.
    """

    translations: tuple[str, ...]
    counts: Mapping[Measure, Counts]
    sentence_chrf: tuple[float, ...]
    lost: tuple[tuple[str, ...], ...]
    term_categories: Mapping[str, tuple[int, int]]
    doubts: Mapping[str, int]
    voices: tuple[str, ...] = ()


@dataclass(frozen=True)
class SetResult:
    """One set in one variant, by one model or by two."""

    evaluated: EvaluationSet
    variant: Variant
    new: SystemResult
    old: SystemResult | None

    def judged(self, measure: Measure) -> Judged:
        return Judged(
            self.new.counts[measure],
            None if self.old is None else self.old.counts[measure],
            self.evaluated.units,
        )


def system_result(
    rows: Sequence[Row],
    asked: Sequence[str],
    translations: Sequence[str],
    terms: kept.TermCheck,
    comet: Comet | None,
    voices: Sequence[str] = (),
) -> SystemResult:
    """Measures one model's translations.

    Args:
        asked: what it was given: the rows' sources, or those as a recogniser hears them.
        voices: the model that made each translation, where that is known.
    """
    references = [row.target for row in rows]
    chrf = measures.chrf_counts(translations, references)
    kept_terms = [terms.kept(row, text) for row, text in zip(rows, translations, strict=True)]
    found: dict[Measure, Sequence[kept.Kept]] = {measures.TERMS: kept_terms}
    for measure, check in _KEPT.items():
        found[measure] = [check(row, text) for row, text in zip(rows, translations, strict=True)]
    counts: dict[Measure, Counts] = {
        measures.BLEU: measures.bleu_counts(translations, references),
        measures.CHRF: chrf,
        **{measure: measures.kept_counts(each) for measure, each in found.items()},
    }
    if comet is not None:
        triples = list(zip(asked, translations, references, strict=True))
        counts[measures.COMET] = measures.mean_counts(comet(triples))
    categories: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for each in kept_terms:
        for category, kept_count, wanted_count in each.by_category:
            categories[category] += kept_count
            wanted[category] += wanted_count
    return SystemResult(
        translations=tuple(translations),
        counts=counts,
        sentence_chrf=tuple(measures.sentence_chrf(chrf)),
        lost=tuple(
            tuple(
                f"{measure.name}: {lost}"
                for measure, sentences in found.items()
                for lost in sentences[at].lost
            )
            for at in range(len(rows))
        ),
        term_categories={each: (categories[each], wanted[each]) for each in sorted(wanted)},
        doubts=_doubts(rows, translations),
        voices=tuple(voices),
    )


def figures(results: Sequence[SetResult]) -> dict[str, Any]:
    """{"sets": {name: {..., variant: {measure: ...}}}, "registers": ..., "overall": ...}.

    A measure is {"new", "old", "difference", "low", "high"} as in `bootstrap.judged`; voices are
    the share of the set's sentences that each model translated.
    """
    by_set: dict[str, Any] = {}
    for result in results:
        evaluated = result.evaluated
        entry = by_set.setdefault(
            evaluated.name,
            {
                "register": evaluated.register,
                "sentences": len(evaluated.rows),
                "sha256": evaluated.sha256,
                "resampled_by": "group" if evaluated.is_grouped else "sentence",
                "groups": len(set(evaluated.units)) if evaluated.is_grouped else None,
            },
        )
        entry[result.variant] = _measured([result]) | {
            "doubts": {
                "new": result.new.doubts,
                "old": None if result.old is None else result.old.doubts,
            },
            "voices": {
                "new": _shares(result.new.voices),
                "old": None if result.old is None else _shares(result.old.voices),
            },
        }
    registers: dict[Register, None] = dict.fromkeys(each.evaluated.register for each in results)
    variants: dict[Variant, None] = dict.fromkeys(each.variant for each in results)
    return {
        "sets": by_set,
        "registers": {
            register: {
                variant: _measured(
                    [
                        each
                        for each in results
                        if (each.evaluated.register, each.variant) == (register, variant)
                    ]
                )
                for variant in variants
            }
            for register in registers
        },
        "overall": {
            variant: _measured([each for each in results if each.variant == variant])
            for variant in variants
        },
        "term_categories": _categories([each for each in results if each.variant == "plain"]),
    }


def _measured(results: Sequence[SetResult]) -> dict[str, Any]:
    return {
        measure.name: judged(measure, [result.judged(measure) for result in results])
        for measure in results[0].new.counts
    }


def _categories(results: Sequence[SetResult]) -> dict[str, Any]:
    """{category: {"wanted", "new", "old"}}: how many terms, and which share of them is there."""
    wanted: Counter[str] = Counter()
    found: dict[str, Counter[str]] = {"new": Counter(), "old": Counter()}
    for result in results:
        for category, (_, count) in result.new.term_categories.items():
            wanted[category] += count
        for name, system in (("new", result.new), ("old", result.old)):
            for category, (count, _) in (system.term_categories if system else {}).items():
                found[name][category] += count
    has_old = any(result.old is not None for result in results)
    return {
        category: {
            "wanted": count,
            "new": round(found["new"][category] / count, 4),
            "old": round(found["old"][category] / count, 4) if has_old else None,
        }
        for category, count in wanted.most_common()
    }


def _doubts(rows: Sequence[Row], translations: Sequence[str]) -> dict[str, int]:
    doubts: Counter[str] = Counter()
    for row, text in zip(rows, translations, strict=True):
        pair = LanguagePair(row.source_language, row.target_language)
        doubts.update(runaway.doubts(row.source, text, pair))
    return dict(doubts)


def _shares(voices: Sequence[str]) -> dict[str, float]:
    counted = Counter(filter(None, voices))
    return {voice: round(count / len(voices), 4) for voice, count in counted.most_common()}
