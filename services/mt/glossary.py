"""Puts a church's own terms into a translation, whatever runtime made it.

The runtime translates each term alone; where the source holds the term and the translation holds
that rendering, the wanted term takes its place. Placeholders in the source would be simpler and
wreck the agreement of the words around them. A rendering that the sentence inflected is not found
and stays as it is.
"""

from __future__ import annotations

import csv
import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from services.errors import Unavailable
from services.mt.engine import Rendering

_WORD = re.compile(r"\w+(?:['’]\w+)*")
# What may stand between two words of one term.
_WITHIN_A_TERM = re.compile(r"['’]?(?:\s+|-)")


@dataclass(frozen=True)
class Term:
    """A term and the rendering wanted for it; both hold at least one word."""

    source: str
    target: str


@dataclass(frozen=True)
class Applied:
    """A translation with terms in place.

    Args:
        terms: those that changed the text, each once, in the order of the source.
    """

    rendering: Rendering
    terms: tuple[Term, ...]


class Glossary:
    """Terms of one direction, found by their words whatever their case.

    Args:
        terms: of two with the same words the first counts.
    """

    def __init__(self, terms: Iterable[Term] = ()) -> None:
        self._terms: dict[tuple[str, ...], Term] = {}
        for term in terms:
            if key := _key(term.source):
                self._terms.setdefault(key, term)
        self._longest = max(map(len, self._terms), default=0)

    def __len__(self) -> int:
        return len(self._terms)

    def preferring(self, terms: Iterable[Term]) -> Glossary:
        """These terms first, then its own."""
        return Glossary((*terms, *self._terms.values()))

    def find(self, text: str, most_words: int | None = None) -> list[tuple[str, Term]]:
        """The terms in `text` with their spelling there: longest at each word, none overlapping.

        Args:
            most_words: leave longer terms aside.
        """
        longest = self._longest if most_words is None else min(most_words, self._longest)
        words = list(_WORD.finditer(text))
        keys = [_folded(word[0]) for word in words]
        found = []
        position = 0
        while position < len(words):
            for length in range(min(longest, len(words) - position), 0, -1):
                term = self._terms.get(tuple(keys[position : position + length]))
                if term and _is_one_phrase(text, words[position : position + length]):
                    end = words[position + length - 1].end()
                    found.append((text[words[position].start() : end], term))
                    position += length
                    break
            else:
                position += 1
        return found

    def apply(
        self, source: str, rendering: Rendering, render_alone: Callable[[str], str]
    ) -> Applied:
        """Puts the terms that `source` holds into `rendering`.

        A long term whose rendering is not there gives way to the shorter ones within it.

        Args:
            render_alone: the runtime's rendering of a term by itself.
        """
        pieces = _Pieces(rendering)
        waiting = self.find(source)
        while waiting:
            spelling, term = waiting.pop(0)
            if not pieces.place(render_alone(spelling).strip(), term):
                waiting[:0] = self.find(spelling, most_words=len(_key(spelling)) - 1)
        return pieces.joined()


class _Pieces:
    """A translation in pieces: what a term owns is closed to the terms after it."""

    def __init__(self, rendering: Rendering) -> None:
        self._pieces: list[tuple[str, bool]] = [(rendering.text, True)]  # text, is_open
        self._unknown_words = list(rendering.unknown_words)
        self._used: dict[Term, None] = {}

    def place(self, alone: str, term: Term) -> bool:
        """Puts a term's target where its rendering first stands; whether it stands anywhere."""
        pattern = re.compile(rf"(?<!\w){re.escape(alone)}(?!\w)", re.IGNORECASE)
        for index, (text, is_open) in enumerate(self._pieces):
            match = pattern.search(text) if is_open and alone else None
            if match is None:
                continue
            target = _with_case_of(match[0], term.target)
            self._pieces[index : index + 1] = [
                (text[: match.start()], True),
                (target, False),
                (text[match.end() :], True),
            ]
            for word in _WORD.findall(match[0]):
                if word in self._unknown_words:
                    self._unknown_words.remove(word)
            if target != match[0]:
                self._used[term] = None
            return True
        return False

    def joined(self) -> Applied:
        text = "".join(text for text, _ in self._pieces)
        return Applied(Rendering(text, tuple(self._unknown_words)), tuple(self._used))


def read(path: Path) -> tuple[Term, ...]:
    """Reads a tab-separated file with the header `source`, `target`; blank lines are skipped.

    Raises:
        Unavailable: GLOSSARY_UNREADABLE with the line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Unavailable("GLOSSARY_UNREADABLE", f"glossary {path}: {error}") from error
    if not lines or lines[0] != ["source", "target"]:
        raise Unavailable(
            "GLOSSARY_UNREADABLE", f"glossary {path}: line 1 must be: source<tab>target"
        )
    terms = []
    for number, columns in enumerate(lines[1:], start=2):
        if not any(column.strip() for column in columns):
            continue
        if len(columns) != 2 or not all(_key(column) for column in columns):
            raise Unavailable(
                "GLOSSARY_UNREADABLE", f"glossary {path}: line {number} is not source<tab>target"
            )
        terms.append(Term(columns[0].strip(), columns[1].strip()))
    return tuple(terms)


def reverse(terms: Iterable[Term]) -> tuple[Term, ...]:
    """The same terms for the other direction."""
    return tuple(Term(term.target, term.source) for term in terms)


def _key(text: str) -> tuple[str, ...]:
    return tuple(_folded(word) for word in _WORD.findall(text))


def _folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).replace("’", "'").casefold()


def _is_one_phrase(text: str, words: list[re.Match[str]]) -> bool:
    return all(
        _WITHIN_A_TERM.fullmatch(text, before.end(), after.start())
        for before, after in itertools.pairwise(words)
    )


def _with_case_of(found: str, target: str) -> str:
    return target[0].upper() + target[1:] if found[0].isupper() else target
