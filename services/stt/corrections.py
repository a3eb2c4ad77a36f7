"""Mends words that a recogniser is known to mishear: "the letter to the Philippines, chapter 4".

A row says what was heard and what is meant. Where the heard words are ordinary English too, the
row counts only in a context that it names. Its column `context` holds alternatives between `|`:

    book of _           the words before and after the heard ones, which are `_`
    _ chapter #         `#` is a number: 4, four, twenty one
    _ #:#               `#:#` is a chapter and a verse: 4:13
    in jesus name _ $   `^` and `$` are the beginning and the end of a sentence
    crucified           without `_`: said within a few words before or after
    unsure              the recogniser gave the heard words a low probability
    @book               several of these under one name, see NAMED_CONTEXTS
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from services.errors import Unavailable

COLUMNS = ("heard", "intended", "kind", "context_needed", "context")

# "Chapter" alone would not do: an association has a Philippines chapter.
_REFERENCE = ("_ chapter #", "_ # verse", "_ # verses", "_ # #", "_ #:#")
NAMED_CONTEXTS = {
    "@reference": _REFERENCE,
    "@book": (*_REFERENCE, "book of _", "the book _"),
    "@prophet": (*_REFERENCE, "book of _", "the prophet _"),
    "@letter": (
        *_REFERENCE,
        "book of _",
        "letter to the _",
        "letters to the _",
        "letter to _",
        "epistle to the _",
        "paul wrote to the _",
        "paul writes to the _",
        "paul tells the _",
    ),
}

# A word that is more likely wrong than right.
_UNSURE_PROBABILITY = 0.4
_NEAR_WORDS = 8
# Kinds whose words take a possessive: Zachariah's is Zechariah's.
_NAMING_KINDS = frozenset({"book", "name", "people", "place"})

_UNITS = "one two three four five six seven eight nine"
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNIT_WORDS = frozenset(_UNITS.split())
_TEN_WORDS = frozenset(_TENS.split())
_NUMBER_WORDS = _UNIT_WORDS | _TEN_WORDS | frozenset(_TEENS.split())
_CHAPTER_AND_VERSE = re.compile(r"\d+[:.]\d+")
_AFFIXED = re.compile(r"(\W*)(.*?)(\W*)", re.DOTALL)
_SENTENCE_END = re.compile(r"[.!?…]")


class Word(Protocol):
    """What is corrected: a recognised word, punctuation attached."""

    @property
    def text(self) -> str: ...

    @property
    def probability(self) -> float | None:
        """[0, 1]; None when the engine gives none."""


@dataclass(frozen=True)
class CorrectedWord:
    """A word as it is shown.

    Args:
        first_word: index of the first recognised word that it stands for.
        end_word: index after the last one; always above first_word. Neither ever falls from one
            word to the next; two words share a recognised one where more are shown than heard.
    """

    text: str
    first_word: int
    end_word: int


@dataclass(frozen=True)
class Correction:
    """What was put in place.

    Args:
        heard: the recognised words as they were, punctuation included.
        intended: what is shown for them.
        word_index: index in `Corrected.words` of the first word put in place.
    """

    heard: str
    intended: str
    word_index: int


@dataclass(frozen=True)
class Corrected:
    """A segment's words as they are shown.

    Args:
        corrections: what was put in place.
        homophones: what a row names and its context did not call for: shown as it was heard, with
            what it may mean.
    """

    words: tuple[CorrectedWord, ...]
    corrections: tuple[Correction, ...]
    homophones: tuple[Correction, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


@dataclass(frozen=True)
class _Context:
    """One alternative of a row's contexts, folded. All empty: the words alone are enough."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    is_unsure: bool = False


_ANYWHERE = (_Context(),)


@dataclass(frozen=True)
class _Row:
    heard: tuple[str, ...]  # folded
    intended: str
    kind: str
    contexts: tuple[_Context, ...]


class Corrections:
    """The rows of one language; without rows it changes nothing."""

    def __init__(self, rows: Iterable[_Row] = ()) -> None:
        self._rows = tuple(rows)
        self._by_first: dict[str, list[_Row]] = {}
        for row in self._rows:
            self._by_first.setdefault(row.heard[0], []).append(row)
        for same_first in self._by_first.values():
            same_first.sort(key=lambda row: len(row.heard), reverse=True)

    def __len__(self) -> int:
        return len(self._rows)

    @classmethod
    def read(cls, path: Path) -> Corrections:
        """Reads a tab-separated file with the header COLUMNS; blank lines are skipped.

        Raises:
            Unavailable: CORRECTIONS_UNREADABLE with the line and what belongs there.
        """
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise _unreadable(path, str(error)) from error
        if not lines or tuple(lines[0]) != COLUMNS:
            raise _unreadable(path, f"line 1 must be: {'<tab>'.join(COLUMNS)}")
        line_of: dict[tuple[str, ...], int] = {}
        rows = []
        for number, columns in enumerate(lines[1:], start=2):
            if not any(column.strip() for column in columns):
                continue
            try:
                row = _row(columns)
            except ValueError as error:
                raise _unreadable(path, f"line {number}: {error}") from error
            if row.heard in line_of:
                raise _unreadable(
                    path,
                    f"line {number}: line {line_of[row.heard]} is for the same heard words; "
                    "delete one of them",
                )
            line_of[row.heard] = number
            rows.append(row)
        return cls(rows)

    def apply(self, words: Sequence[Word]) -> Corrected:
        """The words of one segment with the misheard ones mended.

        The longest match at each word counts; what was put in place is not looked at again. A
        heard phrase begins and ends with whole words and has no punctuation within; punctuation
        around it stays, and so does a capital at the beginning of a sentence.
        """
        heard = _Heard(words)
        shown: list[CorrectedWord] = []
        corrections: list[Correction] = []
        homophones: list[Correction] = []
        index = 0
        while index < len(words):
            found = self._match(heard, index)
            text_before = " ".join(word.text for word in words[index : found[1]]) if found else ""
            if found is None or found[0] == text_before:
                end = found[1] if found else index + 1
                if found is None and (homophone := self._homophone(heard, index)) is not None:
                    homophones.append(replace(homophone, word_index=len(shown)))
                shown += [CorrectedWord(words[i].text, i, i + 1) for i in range(index, end)]
            else:
                text, end = found
                corrections.append(Correction(text_before, text, len(shown)))
                shown += _spread(text.split(), index, end)
            index = end
        return Corrected(tuple(shown), tuple(corrections), tuple(homophones))

    def intended_terms(self) -> tuple[str, ...]:
        """Names and terms that the rows intend, each once, in their order."""
        return tuple(dict.fromkeys(row.intended for row in self._rows if row.kind != "reference"))

    def _match(self, heard: _Heard, index: int) -> tuple[str, int] | None:
        """What to show from this word on, and the index of the word after it."""
        for row in self._candidates(heard, index):
            match = heard.match(row, index)
            if match is not None:
                return match
        return None

    def _homophone(self, heard: _Heard, index: int) -> Correction | None:
        """The longest row whose words stand here, whatever is around them."""
        for row in self._candidates(heard, index):
            span = heard.span(row, index)
            if span is not None:
                return Correction(heard.text(index, span[1]), row.intended, index)
        return None

    def _candidates(self, heard: _Heard, index: int) -> Sequence[_Row]:
        key = heard.keys[heard.first_key[index]]
        candidates = self._by_first.get(key, ())
        if key.endswith("'s") and not candidates:
            return self._by_first.get(key[:-2], ())
        return candidates


class _Heard:
    """One segment's words, taken apart for matching. A word with hyphens has several keys."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self._affixes: list[tuple[str, str]] = []  # punctuation before and after
        self.keys: list[str] = []
        self.first_key: list[int] = []  # of each word, and one past the last
        self._word_of: list[int] = []  # of each key
        for index, word in enumerate(words):
            lead, core, trail = _taken_apart(word.text)
            self._affixes.append((lead, trail))
            self.first_key.append(len(self.keys))
            pieces = _folded(core).split("-")
            self.keys += pieces
            self._word_of += [index] * len(pieces)
        self.first_key.append(len(self.keys))

    def match(self, row: _Row, index: int) -> tuple[str, int] | None:
        """What the row shows from word `index` on, and the index after its last word."""
        span = self.span(row, index)
        if span is None:
            return None
        possessive, end_word = span
        if not any(self._holds(context, index, end_word) for context in row.contexts):
            return None
        lead, trail = self._affixes[index][0], self._affixes[end_word - 1][1]
        intended = row.intended
        heard_core = self._words[index].text[len(lead) :]
        if heard_core[:1].isupper() and self._starts_sentence(index):
            intended = intended[0].upper() + intended[1:]
        return f"{lead}{intended}{possessive}{trail}", end_word

    def text(self, index: int, end_word: int) -> str:
        """These words without the punctuation around them."""
        lead, trail = self._affixes[index][0], self._affixes[end_word - 1][1]
        text = " ".join(word.text for word in self._words[index:end_word])
        return text.removeprefix(lead).removesuffix(trail)

    def span(self, row: _Row, index: int) -> tuple[str, int] | None:
        """Where the row's words stand from word `index` on, whatever is around them.

        Returns:
            What to add to the intended words ("'s" or nothing), and the index after the last word.
        """
        first = self.first_key[index]
        end = first + len(row.heard)
        if end > len(self.keys):
            return None
        end_word = self._word_of[end - 1] + 1
        if self.first_key[end_word] != end:  # it would end within a word
            return None
        possessive = self._possessive(row, first, end)
        if possessive is None or not self._is_one_phrase(index, end_word):
            return None
        return possessive, end_word

    def _possessive(self, row: _Row, first: int, end: int) -> str | None:
        """What to add to the intended words; None when these are not the row's words."""
        keys = tuple(self.keys[first:end])
        if keys == row.heard:
            return ""
        may_own = row.kind in _NAMING_KINDS and row.contexts == _ANYWHERE
        if may_own and (*keys[:-1], keys[-1].removesuffix("'s")) == row.heard:
            return "'s"
        return None

    def _is_one_phrase(self, index: int, end_word: int) -> bool:
        trails = (self._affixes[i][1] for i in range(index, end_word - 1))
        leads = (self._affixes[i][0] for i in range(index + 1, end_word))
        return not any(trails) and not any(leads)

    def _starts_sentence(self, index: int) -> bool:
        return index == 0 or _SENTENCE_END.search(self._affixes[index - 1][1]) is not None

    def _ends_sentence(self, end_word: int) -> bool:
        return end_word == len(self._words) or self._starts_sentence(end_word)

    def _holds(self, context: _Context, index: int, end_word: int) -> bool:
        if context.is_unsure and not self._is_unsure(index, end_word):
            return False
        if context.near and not self._is_near(context.near, index, end_word):
            return False
        return self._follows(context.after, end_word) and self._precedes(context.before, index)

    def _is_unsure(self, index: int, end_word: int) -> bool:
        known = [p for word in self._words[index:end_word] if (p := word.probability) is not None]
        return bool(known) and sum(known) / len(known) < _UNSURE_PROBABILITY

    def _is_near(self, near: tuple[str, ...], index: int, end_word: int) -> bool:
        before = range(max(0, index - _NEAR_WORDS), index)
        after = range(end_word, min(len(self._words), end_word + _NEAR_WORDS))
        for start in (*before, *after):
            key = self.first_key[start]
            if tuple(self.keys[key : key + len(near)]) == near:
                return True
        return False

    def _follows(self, pattern: tuple[str, ...], word: int) -> bool:
        """Whether the pattern's words stand right before word `word` goes on, in its sentence."""
        if not pattern:
            return True
        if pattern == ("$",):
            return self._ends_sentence(word)
        if self._ends_sentence(word):
            return False
        return self._pattern_end(pattern, self.first_key[word]) is not None

    def _precedes(self, pattern: tuple[str, ...], word: int) -> bool:
        if not pattern:
            return True
        if pattern == ("^",):
            return self._starts_sentence(word)
        if self._starts_sentence(word):
            return False
        end = self.first_key[word]
        # A number can be two words long.
        longest = len(pattern) + pattern.count("#")
        starts = range(max(0, end - longest), end)
        return any(self._pattern_end(pattern, start) == end for start in starts)

    def _pattern_end(self, pattern: tuple[str, ...], key: int) -> int | None:
        """The key after the pattern's last word; None when it does not stand at `key`."""
        for position, wanted in enumerate(pattern):
            if wanted == "$":
                is_end = key == len(self.keys) or self._is_sentence_end_before(key)
                return key if is_end else None
            if key >= len(self.keys) or (position and self._is_sentence_end_before(key)):
                return None
            length = self._length_of(wanted, key)
            if not length:
                return None
            key += length
        return key

    def _is_sentence_end_before(self, key: int) -> bool:
        word = self._word_of[key]
        return word != self._word_of[key - 1] and self._starts_sentence(word)

    def _length_of(self, wanted: str, key: int) -> int:
        """How many keys from `key` on are what the pattern wants there; 0 for none."""
        found = self.keys[key]
        if wanted == "#:#":
            return int(_CHAPTER_AND_VERSE.fullmatch(found) is not None)
        if wanted != "#":
            return int(found == wanted)
        following = self.keys[key + 1] if key + 1 < len(self.keys) else ""
        if found in _TEN_WORDS and following in _UNIT_WORDS:
            return 2
        return int(found in _NUMBER_WORDS or (found.isascii() and found.isdigit()))


def _row(columns: Sequence[str]) -> _Row:
    """Raises ValueError, saying what to write instead."""
    if len(columns) not in (len(COLUMNS) - 1, len(COLUMNS)):
        raise ValueError(f"{len(columns)} columns; write {'<tab>'.join(COLUMNS)}")
    heard, intended, kind, needed, context = (*(c.strip() for c in columns), "")[: len(COLUMNS)]
    keys = tuple(_keys(heard))
    if not keys or not all(keys):
        raise ValueError("the first column must be the words that were heard")
    if not intended:
        raise ValueError("the second column must be the words that are meant")
    if needed not in ("yes", "no"):
        raise ValueError(f"context_needed is {needed!r}; write yes or no")
    if needed == "no" and context:
        raise ValueError("it has a context and does not need it: write yes, or empty the context")
    contexts = tuple(_contexts(context)) if needed == "yes" else _ANYWHERE
    if not contexts:
        raise ValueError("it needs a context and names none: say where it counts, or write no")
    return _Row(keys, intended, kind, contexts)


def _contexts(column: str) -> Iterable[_Context]:
    for alternative in filter(None, (part.strip() for part in column.split("|"))):
        if alternative.startswith("@"):
            if alternative not in NAMED_CONTEXTS:
                names = ", ".join(sorted(NAMED_CONTEXTS))
                raise ValueError(f"there is no context {alternative}; there are: {names}")
            yield from (_context(pattern) for pattern in NAMED_CONTEXTS[alternative])
        else:
            yield _context(alternative)


def _context(alternative: str) -> _Context:
    if alternative == "unsure":
        return _Context(is_unsure=True)
    tokens = _folded(alternative).split()
    if "_" not in tokens:
        return _Context(near=tuple(_keys(alternative)))
    slot = tokens.index("_")
    before, after = tokens[:slot], tokens[slot + 1 :]
    if not before and not after:
        raise ValueError("a context needs a word beside its _")
    if "_" in after:
        raise ValueError(f"the context {alternative!r} has more than one _")
    if "^" in before[1:] + after or "$" in before + after[:-1]:
        raise ValueError(f"in the context {alternative!r} a ^ or $ stands between words")
    return _Context(before=tuple(before), after=tuple(after))


def _spread(texts: Sequence[str], index: int, end: int) -> Iterable[CorrectedWord]:
    """The shown words over the recognised ones [index, end), as evenly as they go."""
    heard, shown = end - index, len(texts)
    for position, text in enumerate(texts):
        first = index + position * heard // shown
        last = index + (position + 1) * heard // shown
        yield CorrectedWord(text, first, max(last, first + 1))


def _taken_apart(text: str) -> tuple[str, str, str]:
    """Punctuation before, the word, punctuation after. An apostrophe at its end belongs to it."""
    match = _AFFIXED.fullmatch(text)
    lead, core, trail = match.groups() if match else ("", text, "")
    if core and trail[:1] in ("'", "’") and not set("'’") & set(lead):
        core, trail = core + trail[0], trail[1:]
    return lead, core, trail


def _keys(text: str) -> Iterable[str]:
    for word in text.split():
        yield from _folded(_taken_apart(word)[1]).split("-")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("’", "'").casefold()


def _unreadable(path: Path, problem: str) -> Unavailable:
    return Unavailable("CORRECTIONS_UNREADABLE", f"corrections {path}: {problem}")
