"""What no translator may stumble over: empty texts, numbers, URLs, very long ones, orders in them.

A line of edge_cases.jsonl has a text and what must hold of its translation:

    is_blank          nothing is said
    holds             each of these stands in it, whatever their case
    holds_none        none of these does
    keeps             "numbers", "references": all that are in the source, and no others
    least_share       characters, of the source's
    most_share
    most_characters
    may               doubts of services.mt.runaway ("loop", "copied") that are all right here;
                      all others are not, wherever there is a text
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services import parity
from services.errors import GlossaError, InvalidInput
from services.mt import runaway
from services.mt.engine import LanguagePair
from training.evaluation import kept
from training.evaluation.translators import Translator
from training.text_lines import WRONG_SHAPE, text_lines

OWN = Path(__file__).with_name("edge_cases.jsonl")
# fmt: off
_RULES = frozenset((
    "is_blank", "holds", "holds_none", "keeps", "may",
    "least_share", "most_share", "most_characters",
))
# fmt: on
_SAID = {"numbers": parity.numbers_said, "references": kept.references_in}


@dataclass(frozen=True)
class EdgeCase:
    """One text.

    Args:
        must: rules by name, as above.
    """

    kind: str
    case: str
    source: str
    pair: LanguagePair
    must: dict[str, Any]

    def broken_rules(self, translation: str) -> tuple[str, ...]:
        """What does not hold, as people read it; empty when all does."""
        broken: list[str] = []
        for rule, wanted in self.must.items():
            broken += _broken(self, rule, wanted, translation)
        if self.source.strip() and not self.must.get("is_blank"):
            allowed = self.must.get("may", ())
            doubts = runaway.doubts(self.source, translation, self.pair)
            broken += [f"doubt: {doubt}" for doubt in doubts if doubt not in allowed]
        return tuple(broken)


def read_cases(path: Path, pair: LanguagePair) -> list[EdgeCase]:
    """The cases of a direction. Raises InvalidInput, naming the line."""
    try:
        lines = text_lines(path)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput("CASES_DAMAGED", f"cannot read {path}: {error}") from error
    cases = []
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            case = EdgeCase(
                fields["kind"],
                fields["case"],
                fields["source"],
                LanguagePair(fields["source_language"], fields["target_language"]),
                dict(fields["must"]),
            )
            if unknown := case.must.keys() - _RULES:
                raise ValueError(f"there is no rule {', '.join(sorted(unknown))}")
        except WRONG_SHAPE as error:
            raise InvalidInput(
                "CASES_DAMAGED", f"{path}, line {number}, is no edge case: {error!r}"
            ) from error
        if case.pair == pair:
            cases.append(case)
    return cases


def judge_cases(cases: Sequence[EdgeCase], translator: Translator) -> list[dict[str, Any]]:
    """Each case's translation and what is wrong with it; a failure of the engine is, too."""
    found = []
    for case in cases:
        try:
            (translation,) = translator.translate([case.source])
            broken = case.broken_rules(translation)
        except GlossaError as error:
            translation, broken = "", (f"it failed: {error}",)
        found.append({"translation": translation, "broken": list(broken)})
    return found


def shares(cases: Sequence[EdgeCase], found: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The share of cases that passed, by kind."""
    total: Counter[str] = Counter(case.kind for case in cases)
    passed: Counter[str] = Counter(
        case.kind for case, each in zip(cases, found, strict=True) if not each["broken"]
    )
    return {kind: round(passed[kind] / total[kind], 4) for kind in total}


def _broken(case: EdgeCase, rule: str, wanted: Any, translation: str) -> list[str]:
    folded = translation.casefold()
    length, source_length = len(translation), len(case.source)
    match rule:
        case "is_blank":
            return [f"it says {translation!r}"] if wanted and translation.strip() else []
        case "holds":
            return [f"lost: {text}" for text in wanted if text.casefold() not in folded]
        case "holds_none":
            return [f"says: {text}" for text in wanted if text.casefold() in folded]
        case "keeps":
            return [lost for kind in wanted for lost in _lost(case, kind, translation)]
        case "least_share":
            return [f"{length} characters"] if length < wanted * source_length else []
        case "most_share":
            return [f"{length} characters"] if length > wanted * source_length else []
        case "most_characters":
            return [f"{length} characters"] if length > wanted else []
        case _:
            return []


def _lost(case: EdgeCase, kind: str, translation: str) -> list[str]:
    source = _SAID[kind](case.source, case.pair.source)
    there = _SAID[kind](translation, case.pair.target)
    lost, invented = source - there, there - source
    return [f"lost: {each}" for each in lost] + [f"invented: {each}" for each in invented]
