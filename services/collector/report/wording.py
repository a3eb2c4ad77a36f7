"""Words of a text as a report counts them."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def words_of(text: str) -> list[str]:
    """The words of a text, casefolded, without digits and punctuation."""
    return [word.casefold() for word in _WORD.findall(text)]


def capitalised_within(text: str) -> set[str]:
    """Words with a capital where no sentence begins: mostly names; casefolded."""
    found = set()
    for match in _WORD.finditer(text):
        before = text[: match.start()].rstrip(" \"'“‘«(")
        if match[0][0].isupper() and before and before[-1] not in ".!?…:;":
            found.add(match[0].casefold())
    return found
