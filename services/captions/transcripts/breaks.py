"""Where a text is best broken, into lines and into cues.

"The line should be broken after punctuation marks, before conjunctions, before prepositions", and
not after an article (Netflix Timed Text Style Guide, General Requirements, "Line Treatment").
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.captions.transcripts.units import Unit

# What a break costs, in columns: one may be so far from where it would balance the parts best.
_SENTENCE = 0
_CLAUSE = 4
_BEFORE_LEADING = 8
_BETWEEN_WORDS = 12
_AFTER_LEADING = 28
_IN_WORD = 60

_PAUSE_MS = 400
_SENTENCE_ENDS = tuple(".?!…。！？؟।")
_CLAUSE_ENDS = tuple(",;:–—、，；：،؛")
_CLOSING = "\"'”’»)]）」』"
# Articles, prepositions, conjunctions and the like: they lead what follows.
_LEADING_WORDS = {
    "en": """
        a an the of to in on at by for from with into upon unto about over under through
        between before after without within against among toward towards as than and or
        but nor so because that which who whom whose when where while if unless until
        though although my your his her its our their this these those no not is are was
        were be been am will would shall should can could may might must has have had do
        does did i you he she it we they
    """,
    "es": """
        el la los las un una unos unas lo al del a ante bajo con contra de desde en entre
        hacia hasta para por según sin sobre tras y e o u ni pero mas sino que porque como
        cuando donde si aunque mientras quien quienes cuyo cuya mi mis tu tus su sus
        nuestro nuestra nuestros nuestras este esta estos estas ese esa no se me te le les
        nos os es son era ha han he hemos muy más
    """,
}
_LEADING = {language: frozenset(words.split()) for language, words in _LEADING_WORDS.items()}


def break_cost(left: Unit, right: Unit, language: str) -> int:
    """What it costs the reader that a line or a cue ends between two units; in columns."""
    if not right.is_whole:
        return _IN_WORD
    end = left.text.rstrip(_CLOSING)
    if end.endswith(_SENTENCE_ENDS):
        return _SENTENCE
    if end.endswith(_CLAUSE_ENDS) or right.start_ms - left.end_ms >= _PAUSE_MS:
        return _CLAUSE
    leading = _LEADING.get(language.lower().partition("-")[0], frozenset())
    if left.text.lower() in leading:
        return _AFTER_LEADING
    return _BEFORE_LEADING if right.text.lower() in leading else _BETWEEN_WORDS


def width(units: Sequence[Unit]) -> int:
    """Columns of units in one line."""
    return sum(each.columns + each.has_blank for each in units) - bool(units and units[0].has_blank)


def best_break(
    units: Sequence[Unit], ideal_columns: float, language: str, line_columns: int = 0
) -> int | None:
    """Index of the unit that the second part begins with.

    Args:
        ideal_columns: the width that the first part should have.
        line_columns: what either part may have at most; 0: as much as it likes.

    Returns:
        The cheapest break by its cost and its distance from the ideal; None when none is allowed.
    """
    total = width(units)
    best, best_cost = None, math.inf
    first = 0
    for index in range(1, len(units)):
        left, right = units[index - 1], units[index]
        first += left.columns + (left.has_blank if index > 1 else 0)
        second = total - first - right.has_blank
        if line_columns and max(first, second) > line_columns:
            continue
        distance = abs(first - ideal_columns)
        if distance < best_cost:
            cost = distance + break_cost(left, right, language)
            if cost < best_cost:
                best, best_cost = index, cost
        elif first > ideal_columns:
            break  # the rest is farther away still
    return best
