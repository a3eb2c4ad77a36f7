"""Where a sentence ends in recognised words, punctuation attached."""

from __future__ import annotations

import re
from collections.abc import Sequence

_END_MARK = re.compile(r"[.!?…。！？؟][\"'”’»)\]]*$")
# Followed by more of the same sentence, in English and Spanish.
_ABBREVIATIONS = frozenset(
    """
    mr mrs ms messrs dr rev fr st sts sr jr prof hon v vs vv vol ch chap cf ca no nos p pp e.g i.e
    a.m p.m a.d b.c u.s etc dra sra srta sto sta ud uds vd vds cap caps vers núm pág págs p.ej a.c
    d.c ee.uu
    """.split()  # noqa: SIM905 - a list of so many would take a line each
)
_NUMBER = re.compile(r"[\d:.,]+|[ivxlc]+")


def has_end_mark(word: str) -> bool:
    """Whether it carries a mark that may end a sentence, closing quotes and brackets aside."""
    return _END_MARK.search(word) is not None


def ends_sentence(word: str, following: str = "") -> bool:
    """Whether a sentence ends with `word`.

    After an abbreviation ("Mr.", "v."), an initial, a number ("3.", "III.") or an ellipsis that
    nothing follows it may go on, so it counts as going on; so it does before a small letter.
    """
    mark = _END_MARK.search(word)
    if mark is None:
        return False
    if mark.group()[0] in "!?。！？؟":
        return True
    if following[:1].islower():
        return False
    core = word[: mark.start()].strip("\"'“‘«([¿¡").casefold()
    if core.endswith(".") or mark.group()[0] == "…":  # an ellipsis: "...", "…"
        return bool(following) and core.rstrip(".") not in _ABBREVIATIONS
    return not (core in _ABBREVIATIONS or len(core) <= 1 or _NUMBER.fullmatch(core))


def last_sentence_end(words: Sequence[str], following: str = "") -> int:
    """Number of words up to the end of the last whole sentence; 0 when there is none.

    Args:
        following: the word after the last of `words`; empty when there is none yet.
    """
    for count in range(len(words), 0, -1):
        after = words[count] if count < len(words) else following
        if ends_sentence(words[count - 1], after):
            return count
    return 0
