"""Whether a word is a form of another, and giving a word the ending of another.

Rules of thumb for languages that inflect at the end. They err towards leaving a text as it is:
what they do not know is another word.
"""

from __future__ import annotations

import re
import unicodedata

_SHORTEST_STEM = 3
_STEM_SHARE = 0.6
# Spanish adjectives and participles: gender and number.
_ADJECTIVE = re.compile(r"(?P<stem>\w{2,})(?P<ending>[oa]s?)")


def is_form(word: str, found: str) -> bool:
    """Whether `found` is `word`, or a form of it: "pecador" is taken for one of "pecado".

    They share a beginning of at least three letters and three fifths of the longer. A word with a
    capital is a name and has no other forms.
    """
    if word.casefold() == found.casefold():
        return True
    if not word or word[0].isupper():
        return False
    one, other = _plain(word), _plain(found)
    shared = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        shared += 1
    return shared >= max(_SHORTEST_STEM, _STEM_SHARE * max(len(one), len(other)))


def other_endings(word: str) -> re.Pattern[str] | None:
    """Finds `word` with any gender and number, the ending as a group; None for other words."""
    match = _ADJECTIVE.fullmatch(word)
    if match is None:
        return None
    return re.compile(rf"(?<!\w){re.escape(match['stem'])}(?P<ending>[oa]s?)(?!\w)", re.IGNORECASE)


def inflected_alike(target: str, alone: str, ending: str) -> str | None:
    """`target` as `alone` is when it has `ending`; None when nobody can say.

    A word that changed its gender is an adjective, and so is what replaces it: honrado, "as", justo
    give "justas". One that changed its number alone may be a noun and leaves the gender as it is:
    tumba, "as", sepulcro give "sepulcros".
    """
    match, before = _ADJECTIVE.fullmatch(target), _ADJECTIVE.fullmatch(alone)
    if match is None or before is None:
        return None
    gender = match["ending"][0]
    if ending[0].lower() != before["ending"][0].lower():
        if gender != "o":
            return None
        gender = ending[0].lower()
    return match["stem"] + gender + ending[1:].lower()


def _plain(word: str) -> str:
    """Lower case without accents."""
    return "".join(
        letter
        for letter in unicodedata.normalize("NFD", word.casefold())
        if not unicodedata.combining(letter)
    )
