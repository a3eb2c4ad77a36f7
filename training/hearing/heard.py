"""A text as a recogniser without punctuation gives it."""

from __future__ import annotations

import re

# A point or a comma within a number, a time or a verse is none that ends something.
_IN_NUMBER = re.compile(r"(?<=\d)[.,:](?=\d)")


def unpunctuated(text: str) -> str:
    """The text in lower case without punctuation; numbers stay as they are written."""
    held = _IN_NUMBER.sub(
        lambda match: {".": "\ue000", ",": "\ue001", ":": "\ue002"}[match[0]], text
    )
    bare = re.sub(r"[^\w\s'’\ue000-\ue002-]|(?<!\w)['’-]|['’-](?!\w)", " ", held.lower())
    for mark, own in (("\ue000", "."), ("\ue001", ","), ("\ue002", ":")):
        bare = bare.replace(mark, own)
    return " ".join(bare.split())
