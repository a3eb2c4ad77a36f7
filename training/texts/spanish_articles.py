"""Mends "él" where "el" is meant: "en él desierto", as the Español Sencillo often has it.

An accent tells the pronoun from the article. Which of them stands before a word is read off the
text itself: nobody writes "él desierto" once for every three times "el desierto" and means it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from training.texts.verse_pairs import VersionPair

_ARTICLE = re.compile(r"\b([Ee])l (\w+)")
_PRONOUN = re.compile(r"\b([ÉéEe])l (\w+)")
# The article's share of what stands before a word, from which a pronoun there is a slip.
_ARTICLE_SHARE = 0.75
_FEWEST = 3
VERSION = "BES"


class ArticleMender:
    """Reads the texts to learn from; then gives the mended ones.

    Attributes:
        count: of verses that were mended.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        articles: Counter[str] = Counter()
        pronouns: Counter[str] = Counter()
        for text in texts:
            for match in _PRONOUN.finditer(text):
                (pronouns if match[1] in "Éé" else articles)[match[2]] += 1
        self._nouns = {
            word
            for word, count in articles.items()
            if count >= _FEWEST and count >= _ARTICLE_SHARE * (count + pronouns[word])
        }
        self.count = 0

    def texts(self, verses: Sequence[Mapping[str, Any]], pair: VersionPair) -> dict[str, str]:
        """The mended texts of a pair's target version by verse_id."""
        if pair.target != VERSION:
            return {}
        mended = {}
        for verse in verses:
            text = verse.get(VERSION) or ""
            better = self.mend(text)
            if better != text:
                mended[verse["verse_id"]] = better
        self.count = len(mended)
        return mended

    def mend(self, text: str) -> str:
        return _PRONOUN.sub(
            lambda match: (
                f"{'E' if match[1] in 'ÉE' else 'e'}l {match[2]}"
                if match[2] in self._nouns
                else match[0]
            ),
            text,
        )
