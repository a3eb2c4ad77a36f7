"""Written text as the words that a recogniser hears: lower case, letters and apostrophes."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")


def spoken_words(text: str) -> list[str]:
    """The words of a text; none where digits stand, which are read in more than one way."""
    if any(mark.isdigit() for mark in text):
        return []
    return _WORD.findall(text.lower().replace("’", "'").replace("‘", "'"))


def spoken_sentences(texts: Iterable[str]) -> list[list[str]]:
    """The words of each text that has some, of texts that are the same one."""
    return [words for text in dict.fromkeys(texts) if (words := spoken_words(text))]
