"""Puts a church's own terms into a translation, whatever runtime made it.

A runtime that can be told is told the terms beforehand (`Glossary.hints`). Afterwards every text is
checked: where the source holds a term and the translation does not hold its target, the runtime
translates the term alone, and the target takes the place of that rendering. Placeholders in the
source would be simpler and wreck the agreement of the words around them.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from services.mt import inflection
from services.mt.engine import Rendering, RequiredTerm
from services.mt.sense import WORD, Context, Words, folded, key

# What may stand between two words of one term.
_AROUND_A_TERM = " \t\n.,;:!?¡¿…"
_WITHIN_A_TERM = re.compile(r"['’]?(?:\s+|-)")
MAX_HINTS = 8  # more crowd the prompt, and the small models follow none of them


@dataclass(frozen=True)
class Term:
    """A term and the rendering wanted for it.

    Args:
        source: holds at least one word.
        target: the rendering; empty leaves this sense of the word to the runtime.
        context: when it counts; None where no row with a context does.
    """

    source: str
    target: str
    context: Context | None = None


@dataclass(frozen=True)
class Applied:
    """A translation with terms in place.

    Args:
        terms: those that changed the text, each once, in the order of the source.
        kept: how many terms of the source stood there already, inflected ones too.
        placed: how many were put in place.
        missing: those that are not in the text, in the order of the source.
    """

    rendering: Rendering
    terms: tuple[Term, ...] = ()
    kept: int = 0
    placed: int = 0
    missing: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What a text owes the glossary, each occurrence of a term, in the order of the source.

    Args:
        required: the terms that the source holds.
        missing: those of them that are not in the translation, inflected or not.
    """

    required: tuple[Term, ...]
    missing: tuple[Term, ...]


@dataclass(frozen=True)
class _Found:
    """A term in a source text, as words[start:end]."""

    term: Term
    start: int
    end: int


class Glossary:
    """Terms of one direction, found by their words whatever their case.

    Args:
        terms: of two with the same words, the first whose context holds counts, then the first
            without one.
    """

    def __init__(self, terms: Iterable[Term] = ()) -> None:
        self._terms: dict[Words, list[Term]] = {}
        for term in terms:
            if words := key(term.source):
                self._terms.setdefault(words, []).append(term)
        for rows in self._terms.values():
            rows.sort(key=lambda row: row.context is None)
        self._lengths = _lengths(self._terms)

    def __len__(self) -> int:
        """How many terms it knows; the senses of one count once."""
        return len(self._terms)

    def preferring(self, terms: Iterable[Term]) -> Glossary:
        """These terms, and its own for all other words."""
        preferred = Glossary(terms)
        both = Glossary()
        both._terms = {**self._terms, **preferred._terms}
        both._lengths = _lengths(both._terms)
        return both

    def find(self, text: str) -> list[tuple[str, Term]]:
        """The terms in `text` with their spelling there: longest at each word, none overlapping."""
        source = _Source(text)
        return [(source.spelling(found), found.term) for found in self._find(source)]

    def hints(self, text: str) -> tuple[RequiredTerm, ...]:
        """What to tell a runtime beforehand: the most specific terms in `text`, at most MAX_HINTS.

        Those of more words are more specific, then the longer ones.
        """
        terms = dict.fromkeys(term for _, term in self.find(text) if term.source != term.target)
        specific = sorted(terms, key=lambda term: (-len(key(term.source)), -len(term.source)))
        return tuple(RequiredTerm(term.source, term.target) for term in specific[:MAX_HINTS])

    def apply(
        self,
        source: str,
        rendering: Rendering,
        render_alone: Callable[[str], str],
        *,
        was_told: bool = False,
        committed_text: str = "",
    ) -> Applied:
        """Puts the terms that `source` holds into `rendering`.

        A long term whose rendering is not there gives way to the shorter ones within it.

        Args:
            render_alone: the runtime's rendering of a term by itself; "" when there is none.
            was_told: the runtime knew the terms, so it is believed where it used them.
            committed_text: the beginning of the rendering that must stay.
        """
        text = _Source(source)
        pieces = _Pieces(rendering, committed_text)
        waiting = self._find(text)
        kept = placed = 0
        missing: list[Term] = []
        while waiting:
            found = waiting.pop(0)
            term = found.term
            is_there = was_told and pieces.keep(term)
            if not is_there:
                # A model makes a sentence of a bare term; its full stop is not the term's.
                alone = render_alone(text.spelling(found)).strip(_AROUND_A_TERM)
                if pieces.place(alone, term):
                    placed += 1
                    continue
                is_there = pieces.keep(term)
            if is_there:
                kept += 1
                continue
            within = self._find(text, found, most_words=found.end - found.start - 1)
            missing.append(term)
            waiting[:0] = within
        return pieces.joined(kept, placed, tuple(missing))

    def check(self, source: str, translation: str) -> Checked:
        """Looks which terms of `source` stand in `translation`, however it was made."""
        pieces = _Pieces(Rendering(translation))
        required = tuple(term for _, term in self.find(source))
        return Checked(required, tuple(term for term in required if not pieces.keep(term)))

    def _find(
        self, source: _Source, within: _Found | None = None, most_words: int | None = None
    ) -> list[_Found]:
        position, end = (0, len(source.words)) if within is None else (within.start, within.end)
        found = []
        while position < end:
            for length in self._lengths.get(source.words[position], ()):
                if length > end - position or (most_words is not None and length > most_words):
                    continue
                term = self._meant(source, position, position + length)
                if term is not None:
                    if term.target:
                        found.append(_Found(term, position, position + length))
                    position += length
                    break
            else:
                position += 1
        return found

    def _meant(self, source: _Source, start: int, end: int) -> Term | None:
        """The term that words[start:end] are, in the sense that they have there."""
        rows = self._terms.get(tuple(source.words[start:end]))
        if rows is None or not source.is_one_phrase(start, end):
            return None
        for row in rows:
            if row.context is None or row.context.holds(source.words, start, end):
                return row
        return None


def _lengths(terms: Iterable[Words]) -> dict[str, list[int]]:
    """How many words the terms have that begin with a word, longest first."""
    lengths: dict[str, set[int]] = {}
    for words in terms:
        lengths.setdefault(words[0], set()).add(len(words))
    return {word: sorted(found, reverse=True) for word, found in lengths.items()}


class _Source:
    """A text and its words."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._matches = list(WORD.finditer(text))
        self.words = [folded(match[0]) for match in self._matches]

    def spelling(self, found: _Found) -> str:
        return self._text[self._matches[found.start].start() : self._matches[found.end - 1].end()]

    def is_one_phrase(self, start: int, end: int) -> bool:
        return all(
            _WITHIN_A_TERM.fullmatch(self._text, before.end(), after.start())
            for before, after in itertools.pairwise(self._matches[start:end])
        )


# Open to every term; only to those that stand there already; closed, because a term owns it.
_State = Literal["open", "committed", "owned"]


class _Pieces:
    """A translation in pieces."""

    def __init__(self, rendering: Rendering, committed_text: str = "") -> None:
        self._rendering = rendering
        self._pieces: list[tuple[str, _State]] = [(rendering.text, "open")]
        if committed_text and rendering.text.startswith(committed_text):
            self._pieces = [
                (committed_text, "committed"),
                (rendering.text[len(committed_text) :], "open"),
            ]
        self._unknown_words = list(rendering.unknown_words)
        self._used: dict[Term, None] = {}

    def place(self, alone: str, term: Term) -> bool:
        """Puts a term's target where its rendering first stands; False where it stands nowhere.

        A target that stands there as it is, is not placed but kept: see `keep`.
        """
        if not alone:
            return False
        exact = re.compile(rf"(?<!\w){re.escape(alone)}(?!\w)", re.IGNORECASE)
        if self._replace(exact, lambda _: term.target, term):
            return True
        inflected = inflection.other_endings(alone)
        if inflected is None:
            return False
        return self._replace(
            inflected,
            lambda match: inflection.inflected_alike(term.target, alone, match["ending"]),
            term,
        )

    def keep(self, term: Term) -> bool:
        """Closes the first place where a term's target stands, inflected or not."""
        exact = re.compile(rf"(?<!\w){re.escape(term.target)}(?!\w)", re.IGNORECASE)
        for index, (text, state) in enumerate(self._pieces):
            if state == "owned":
                continue
            if match := exact.search(text):
                shown = match[0] if state == "committed" else _with_case_of(match[0], term.target)
                self._own(index, match.span(), shown)
                if shown != match[0]:
                    self._used[term] = None
                return True
        for index, (text, state) in enumerate(self._pieces):
            if state != "owned" and (span := _span_of_forms(text, term.target)):
                self._own(index, span, text[span[0] : span[1]])
                return True
        return False

    def _replace(
        self,
        pattern: re.Pattern[str],
        target_for: Callable[[re.Match[str]], str | None],
        term: Term,
    ) -> bool:
        for index, (text, state) in enumerate(self._pieces):
            match = pattern.search(text) if state == "open" else None
            target = target_for(match) if match is not None else None
            if match is None or target is None:
                continue
            target = _with_case_of(match[0], target)
            if target == match[0]:
                return False
            self._own(index, match.span(), target)
            self._used[term] = None
            return True
        return False

    def _own(self, index: int, span: tuple[int, int], shown: str) -> None:
        text, state = self._pieces[index]
        start, end = span
        for word in WORD.findall(text[start:end]):
            if word in self._unknown_words:
                self._unknown_words.remove(word)
        self._pieces[index : index + 1] = [
            (text[:start], state),
            (shown, "owned"),
            (text[end:], state),
        ]

    def joined(self, kept: int, placed: int, missing: tuple[Term, ...]) -> Applied:
        rendering = replace(
            self._rendering,
            text="".join(text for text, _ in self._pieces),
            unknown_words=tuple(self._unknown_words),
        )
        return Applied(rendering, tuple(self._used), kept, placed, missing)


def term_accuracy(source: str, translation: str, glossary: Glossary) -> tuple[int, int]:
    """How many of the terms in `source` stand in `translation`, inflected or not, and of how many.

    Of a text with no term it is (0, 0).
    """
    checked = glossary.check(source, translation)
    return len(checked.required) - len(checked.missing), len(checked.required)


def _span_of_forms(text: str, target: str) -> tuple[int, int] | None:
    """Where the words of `target` stand in `text` one after another, each in some form."""
    wanted = WORD.findall(target)
    words = list(WORD.finditer(text))
    for first in range(len(words) - len(wanted) + 1):
        there = words[first : first + len(wanted)]
        if all(
            inflection.is_form(word, match[0]) for word, match in zip(wanted, there, strict=True)
        ):
            return there[0].start(), there[-1].end()
    return None


def _with_case_of(found: str, target: str) -> str:
    return target[0].upper() + target[1:] if found[0].isupper() else target
