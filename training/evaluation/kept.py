"""What of a sentence must be in its translation: terms, numbers, Bible references, names, denials.

A sentence owes what its reference translation has as well. A term whose reference says it in other
words, a "ten" that is part of a name, ask for nothing: no model is blamed for what a person did.
"""

from __future__ import annotations

import csv
import difflib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from services import bible_references, parity
from services.collector.report.wording import capitalised_within
from services.mt import glossary_file
from services.mt.glossary import Glossary
from training.rows import Row

GLOSSARY = Path(glossary_file.__file__).with_name("glossary_en_es.tsv")
_CATEGORIES = Path(__file__).with_name("term_categories.tsv")
OTHER = "other"
# "Nicodemus" and "Nicodemo", "Peter" and "Pedro"; but not "Monday" and "María".
_NAME_LIKENESS = 0.6
_NAME_BEGINNING_LETTERS = 2
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


@dataclass(frozen=True)
class Kept:
    """What one kind of thing came to in one translation.

    Args:
        wanted: how many the sentence owes.
        kept: how many of them are there.
        invented: how many are there that neither source nor reference has; they count as losses.
        lost: what is missing or invented, as people read it.
    """

    wanted: int = 0
    kept: int = 0
    invented: int = 0
    lost: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeptTerms(Kept):
    """Terms, and how they fared by category: (kept, wanted)."""

    by_category: tuple[tuple[str, int, int], ...] = ()


class TermCheck:
    """The glossary's terms with the sense that they have in a sentence, in whatever inflection."""

    def __init__(self, glossary: Path = GLOSSARY) -> None:
        self._glossary = Glossary(glossary_file.read(glossary))
        self._categories = _categories()

    def kept(self, row: Row, translation: str) -> KeptTerms:
        in_reference = self._glossary.check(row.source, row.target)
        owed = Counter(in_reference.required) - Counter(in_reference.missing)
        missing = Counter(self._glossary.check(row.source, translation).missing) & owed
        by_category: Counter[str] = Counter()
        missing_by_category: Counter[str] = Counter()
        for term, count in owed.items():
            category = self._categories.get(term.source.casefold(), OTHER)
            by_category[category] += count
            missing_by_category[category] += missing[term]
        return KeptTerms(
            wanted=owed.total(),
            kept=owed.total() - missing.total(),
            lost=tuple(f"{term.source} → {term.target}" for term in missing),
            by_category=tuple(
                (category, count - missing_by_category[category], count)
                for category, count in sorted(by_category.items())
            ),
        )


def numbers(row: Row, translation: str) -> Kept:
    return _compared(parity.numbers_said, row, translation)


def references(row: Row, translation: str) -> Kept:
    return _compared(references_in, row, translation)


def references_in(text: str, language: str) -> Counter[str]:
    """Bible references, spoken and written; none in a language whose books are not known."""
    if not bible_references.knows(language):
        return Counter()
    return Counter(
        f"{found.book.title()} {found.chapter}" + (f":{found.verse}" if found.verse else "")
        for found in bible_references.references(text, language)
    )


def names(row: Row, translation: str) -> Kept:
    """Names, as the reference spells them: "Ravensbrück", and "Nicodemo" for "Nicodemus"."""
    in_reference = capitalised_within(row.target)
    owed = {
        found
        for name in capitalised_within(row.source)
        if (found := _same_name(name, in_reference)) is not None
    }
    there = {match[0].casefold() for match in _WORD.finditer(translation)}
    lost = sorted(owed - there)
    return Kept(len(owed), len(owed) - len(lost), lost=tuple(name.title() for name in lost))


def denials(row: Row, translation: str) -> Kept:
    """Whether a sentence that denies something is one that does, and another none."""
    languages = (row.source_language, row.target_language)
    if parity.negation_parity(row.source, row.target, *languages) != 1.0:
        return Kept()  # unknown languages, or the reference says it without a "not"
    if parity.negation_parity(row.source, translation, *languages) == 1.0:
        is_denied = parity.negation_parity(row.source, "", *languages) == 0.0
        return Kept(1, 1) if is_denied else Kept()
    return Kept(1, 0, lost=("a “not” more or less",))


def _compared(said: Callable[[str, str], Counter[str]], row: Row, translation: str) -> Kept:
    source = said(row.source, row.source_language)
    reference = said(row.target, row.target_language)
    there = said(translation, row.target_language)
    owed = source & reference
    missing, invented = owed - there, there - (source | reference)
    return Kept(
        wanted=owed.total(),
        kept=owed.total() - missing.total(),
        invented=invented.total(),
        lost=(*missing.elements(), *(f"{each} (invented)" for each in invented.elements())),
    )


def _same_name(name: str, candidates: set[str]) -> str | None:
    if name in candidates:
        return name
    plain = _plain(name)
    alike = {
        candidate: difflib.SequenceMatcher(None, plain, _plain(candidate)).ratio()
        for candidate in sorted(candidates)
        if _plain(candidate)[:_NAME_BEGINNING_LETTERS] == plain[:_NAME_BEGINNING_LETTERS]
    }
    best = max(alike, key=alike.__getitem__, default=None)
    return best if best is not None and alike[best] >= _NAME_LIKENESS else None


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.combining(sign))


@cache
def _categories() -> dict[str, str]:
    with _CATEGORIES.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["source"].casefold(): row["category"] for row in rows}
