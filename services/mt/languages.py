"""Languages as prompts call them, and the pairs of them that a prompted model offers."""

from __future__ import annotations

from collections.abc import Iterable

from services.errors import InvalidInput
from services.languages import NAMES
from services.mt.engine import LanguagePair


def name_of(code: str) -> str:
    """The English name of a BCP 47 code; `_` counts as `-`, regions are left aside.

    Raises:
        InvalidInput: UNSUPPORTED_LANGUAGE_PAIR.
    """
    primary = code.replace("_", "-").partition("-")[0].lower()
    name = NAMES.get(primary)
    if name is None:
        raise InvalidInput(
            "UNSUPPORTED_LANGUAGE_PAIR",
            f"no language is known by the code {code!r}; write a code as in BCP 47, such as es",
            language=code,
        )
    return name


def promptable_pairs(wanted: Iterable[LanguagePair]) -> tuple[LanguagePair, ...]:
    """What a prompted model offers: the pairs in `wanted`, then all from and to English.

    English is on one side of what such models are measured on; a church that needs another pair
    names it.

    Raises:
        InvalidInput: UNSUPPORTED_LANGUAGE_PAIR, for a wanted language without a name here.
    """
    offered = dict.fromkeys(wanted)
    for pair in offered:
        name_of(pair.source)
        name_of(pair.target)
    for code in NAMES:
        if code != "en":
            offered |= {LanguagePair("en", code): None, LanguagePair(code, "en"): None}
    return tuple(offered)
