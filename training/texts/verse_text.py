"""A verse as it is said: without quotation marks and dashes, and with the name of God as asked.

Quotation marks go because versions set them differently and no recogniser hears them. Spanish
texts that are public domain say "Jehová" where modern ones say "el Señor": a model that learns both
without being told flips between them from caption to caption.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, get_args

DivineName = Literal["tagged", "senor", "jehova", "as-is"]
DIVINE_NAMES: tuple[DivineName, ...] = get_args(DivineName)

# An apostrophe ends a word only behind an s: "the disciples' house".
_CLOSING_SINGLE = re.compile(r"(?<=[.,;:!?])['’]+(?=\s|$)|(?<=[^\Ws])’(?!\w)")
_OPENING_SINGLE = re.compile(r"(?<!\w)['‘](?=\w)(?!tis\b|twas\b)")
_DASH = re.compile(r"\s*[—–]+\s*")
_JEHOVAH = re.compile(r"\bJehov[áa]")

# In this order: "el Señor Jehová" is "el Señor Dios", and "a Jehová" becomes "al Señor".
_JEHOVAH_TO_LORD = (
    (re.compile(r"\bSeñor Jehov[áa]\b"), "Señor Dios"),
    (re.compile(r"\b([Oo]h) Jehov[áa]\b"), r"\1 Señor"),
    (re.compile(r"\b([Dd])e Jehov[áa]\b"), r"\1el Señor"),
    (re.compile(r"\b([Aa]) Jehov[áa]\b"), r"\1l Señor"),
    # Called upon by name, as between commas.
    (re.compile(r"(?<=[,;:¡¿] )Jehov[áa](?=[,;:!?])|(?<=[¡¿])Jehov[áa](?=[,;:!?])"), "Señor"),
    (re.compile(r"^Jehov[áa](?=,)"), "Señor"),
    (re.compile(r"(^|[.!?¡¿] ?)Jehov[áa]\b"), r"\1El Señor"),
    (re.compile(r"\bJehov[áa]\b"), "el Señor"),
)
_LORD_TO_JEHOVAH = (
    (re.compile(r"\b([Dd])el Señor\b"), r"\1e Jehová"),
    (re.compile(r"\b([Aa])l Señor\b"), r"\1 Jehová"),
    (re.compile(r"\b(?:[EÉeé]l )?Señor\b"), "Jehová"),
)


def spoken(text: str) -> str:
    """The text without quotation marks, dashes and odd spaces."""
    text = unicodedata.normalize("NFC", text)
    text = re.sub(r"[\"“”«»]", "", text)
    text = _CLOSING_SINGLE.sub("", _OPENING_SINGLE.sub("", text)).replace("’", "'")
    text = _DASH.sub(", ", text.strip(" \t\n—–"))
    text = re.sub(r"([,;:]),", r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def jehovah_count(text: str) -> int:
    return len(_JEHOVAH.findall(text))


def with_lord(spanish: str) -> str:
    """ "Jehová" as "el Señor", with the article as it stands behind "a" and "de"."""
    for pattern, replacement in _JEHOVAH_TO_LORD:
        spanish = pattern.sub(replacement, spanish)
    return spanish


def with_jehovah(spanish: str, count: int) -> str | None:
    """ "El Señor" as "Jehová", when it stands there as often as it must; else None.

    Args:
        count: how often the verse has the name; the rest of the times "Señor" is a master.
    """
    if len(re.findall(r"\bSeñor\b", spanish)) != count:
        return None
    for pattern, replacement in _LORD_TO_JEHOVAH:
        spanish = pattern.sub(replacement, spanish)
    return spanish
