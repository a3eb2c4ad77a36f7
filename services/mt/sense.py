"""Which sense of a word is meant, told by the words around it.

A row of the glossary may carry a context, rules separated by semicolons, of which one must hold:

    verse                     a chapter or verse follows: "James 1:5", "James chapter two"
    after: book of, king      the term stands right after one of these
    before: church, says      the term stands right before one of these
    near 6: Zebedee, Peter    one of these stands within so many words of it, on either side

Words are compared whatever their case. docs/protocol.md says what the service's own rows mean.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

WORD = re.compile(r"\w+(?:['’]\w+)*")
_FARTHEST_WORDS = 20
_RULE = re.compile(
    r"(?:(?P<verse>verse)|(?P<kind>after|before|near\s+(?P<reach>\d+))\s*:(?P<of>.*))"
)
_COUNTERS = frozenset({"chapter", "chapters", "verse", "verses"})
_NUMBER = re.compile(
    r"one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|twenty|thirty|forty|fifty"
)

Words = tuple[str, ...]


def key(text: str) -> Words:
    """The words of a text as they are compared."""
    return tuple(folded(word) for word in WORD.findall(text))


def folded(word: str) -> str:
    return unicodedata.normalize("NFC", word).replace("’", "'").casefold()


@dataclass(frozen=True)
class _Rule:
    kind: Literal["verse", "after", "before", "near"]
    phrases: tuple[Words, ...] = ()
    reach_words: int = 0

    def holds(self, words: Sequence[str], start: int, end: int) -> bool:
        match self.kind:
            case "verse":
                return _is_place(words[end : end + 3])
            case "after":
                return any(
                    tuple(words[max(0, start - len(phrase)) : start]) == phrase
                    for phrase in self.phrases
                )
            case "before":
                return any(
                    tuple(words[end : end + len(phrase)]) == phrase for phrase in self.phrases
                )
            case "near":
                sides = (
                    words[max(0, start - self.reach_words) : start],
                    words[end : end + self.reach_words],
                )
                return any(_holds_phrase(side, phrase) for side in sides for phrase in self.phrases)


@dataclass(frozen=True)
class Context:
    """Rules of which one must hold."""

    rules: tuple[_Rule, ...]

    @classmethod
    def read(cls, text: str) -> Context:
        """Raises ValueError, saying what is wrong with it."""
        return cls(tuple(_rule(part.strip()) for part in text.split(";")))

    def holds(self, words: Sequence[str], start: int, end: int) -> bool:
        """Whether a rule holds for the term at words[start:end].

        Args:
            words: of the whole text, folded.
        """
        return any(rule.holds(words, start, end) for rule in self.rules)


def _rule(text: str) -> _Rule:
    match = _RULE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not verse, after: ..., before: ... or near N: ...")
    if match["verse"]:
        return _Rule("verse")
    phrases = tuple(key(phrase) for phrase in match["of"].split(","))
    if not all(phrases):
        raise ValueError(f"{text!r} names no word, or has a comma too many")
    if match["reach"] is None:
        return _Rule("after" if match["kind"] == "after" else "before", phrases)
    reach_words = int(match["reach"])
    if not 1 <= reach_words <= _FARTHEST_WORDS:
        raise ValueError(f"{text!r} must look at 1 to {_FARTHEST_WORDS} words")
    return _Rule("near", phrases, reach_words)


def _holds_phrase(words: Sequence[str], phrase: Words) -> bool:
    size = len(phrase)
    return any(
        tuple(words[first : first + size]) == phrase for first in range(len(words) - size + 1)
    )


def _is_place(following: Sequence[str]) -> bool:
    """Whether these words go on as a place in a book does: "1 5", "chapter two", "one five"."""
    if not following:
        return False
    if following[0].isdecimal():
        return True
    second = following[1] if len(following) > 1 else ""
    second_counts = second.isdecimal() or _NUMBER.fullmatch(second) is not None
    return second_counts and (
        following[0] in _COUNTERS or _NUMBER.fullmatch(following[0]) is not None
    )
