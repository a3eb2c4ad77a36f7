"""Holds back the last words of a draft: they change most when more is heard.

Masking the last k words of a re-translated draft cuts its flicker (arXiv 2006.00249). What the
draft before had too is not held back: it did not change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_COMPLETE = re.compile(r"[.!?…。！？][\"'»”’)\]]*\s*$")


def settled_part(draft: str, source: str, shown_before: Sequence[str], mask_words: int) -> str:
    """`draft` without its last `mask_words` words, when `source` is still being spoken.

    Args:
        source: what was translated; a whole sentence is not spoken on, and its draft not masked.
        shown_before: earlier drafts of it; what this one begins with as one of them did is shown.
    """
    if not mask_words or _COMPLETE.search(source):
        return draft
    words = list(re.finditer(r"\S+", draft))
    new = [word[0] for word in words]
    shown = max(
        [len(words) - mask_words, *(same_words(new, before.split()) for before in shown_before)]
    )
    return draft[: words[shown - 1].end()] if shown > 0 else ""


def same_words(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words two texts begin with together."""
    differs = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(differs, min(len(one), len(other)))
