"""Mends words that a recogniser is known to mishear: "the letter to the Philippines, chapter 4".

A row says what was heard and what is meant. Where the heard words are ordinary words too, the row
counts only in a context that it names.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from services.errors import Unavailable

COLUMNS = ("heard", "intended", "kind", "context_needed", "context")


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
        end_word: index after the last one; always above first_word.
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
    words: tuple[CorrectedWord, ...]
    corrections: tuple[Correction, ...]


class Corrections:
    """The rows of one language."""

    def __init__(self) -> None:
        pass

    @classmethod
    def read(cls, path: Path) -> Corrections:
        """Raises Unavailable (CORRECTIONS_UNREADABLE), naming the line and what to write."""
        del path
        return cls()

    def apply(self, words: Sequence[Word]) -> Corrected:
        """The words of one segment with the misheard ones mended."""
        return Corrected(
            tuple(CorrectedWord(word.text, i, i + 1) for i, word in enumerate(words)), ()
        )

    def intended_terms(self) -> tuple[str, ...]:
        """Names and terms that the rows intend, each once: worth telling an engine beforehand."""
        return ()
