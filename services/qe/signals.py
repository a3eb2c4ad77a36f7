"""What two texts tell about a translation without any model: pure functions of str.

Each value is in [0, 1], greater is better. None: there is nothing to measure. None of them sees a
wrong word; they find what agreement scores overlook (numbers, negation) and what was not translated
at all.
"""

from __future__ import annotations

import re
from collections import Counter

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")

# "One" and "uno" are pronouns and articles far more often than numbers; "second" and "segundo" are
# both an ordinal and a time, in both languages alike.
_NUMBER_WORDS = {
    "en": {
        **dict.fromkeys(("one", "first"), 1),
        **dict.fromkeys(("two", "second"), 2),
        **dict.fromkeys(("three", "third"), 3),
        **dict.fromkeys(("four", "fourth"), 4),
        **dict.fromkeys(("five", "fifth"), 5),
        **dict.fromkeys(("six", "sixth"), 6),
        **dict.fromkeys(("seven", "seventh"), 7),
        **dict.fromkeys(("eight", "eighth"), 8),
        **dict.fromkeys(("nine", "ninth"), 9),
        **dict.fromkeys(("ten", "tenth"), 10),
        "eleven": 11,
        "twelve": 12,
        "thirteen": 13,
        "fourteen": 14,
        "fifteen": 15,
        "sixteen": 16,
        "seventeen": 17,
        "eighteen": 18,
        "nineteen": 19,
        "twenty": 20,
        "thirty": 30,
        "forty": 40,
        "fifty": 50,
        "sixty": 60,
        "seventy": 70,
        "eighty": 80,
        "ninety": 90,
        "hundred": 100,
        "thousand": 1000,
        "million": 1_000_000,
        "billion": 1_000_000_000,
    },
    "es": {
        **dict.fromkeys(("uno", "un", "una", "primero", "primera", "primer"), 1),
        **dict.fromkeys(("dos", "segundo", "segunda"), 2),
        **dict.fromkeys(("tres", "tercero", "tercera", "tercer"), 3),
        **dict.fromkeys(("cuatro", "cuarto", "cuarta"), 4),
        **dict.fromkeys(("cinco", "quinto", "quinta"), 5),
        **dict.fromkeys(("seis", "sexto", "sexta"), 6),
        **dict.fromkeys(("siete", "séptimo", "séptima"), 7),
        **dict.fromkeys(("ocho", "octavo", "octava"), 8),
        **dict.fromkeys(("nueve", "noveno", "novena"), 9),
        **dict.fromkeys(("diez", "décimo", "décima"), 10),
        "once": 11,
        "doce": 12,
        "trece": 13,
        "catorce": 14,
        "quince": 15,
        "dieciséis": 16,
        "diecisiete": 17,
        "dieciocho": 18,
        "diecinueve": 19,
        "veinte": 20,
        **dict.fromkeys(("veintiuno", "veintiún", "veintiuna"), 21),
        "veintidós": 22,
        "veintitrés": 23,
        "veinticuatro": 24,
        "veinticinco": 25,
        "veintiséis": 26,
        "veintisiete": 27,
        "veintiocho": 28,
        "veintinueve": 29,
        "treinta": 30,
        "cuarenta": 40,
        "cincuenta": 50,
        "sesenta": 60,
        "setenta": 70,
        "ochenta": 80,
        "noventa": 90,
        **dict.fromkeys(("cien", "ciento"), 100),
        **dict.fromkeys(("doscientos", "doscientas"), 200),
        **dict.fromkeys(("trescientos", "trescientas"), 300),
        **dict.fromkeys(("cuatrocientos", "cuatrocientas"), 400),
        **dict.fromkeys(("quinientos", "quinientas"), 500),
        **dict.fromkeys(("seiscientos", "seiscientas"), 600),
        **dict.fromkeys(("setecientos", "setecientas"), 700),
        **dict.fromkeys(("ochocientos", "ochocientas"), 800),
        **dict.fromkeys(("novecientos", "novecientas"), 900),
        "mil": 1000,
        **dict.fromkeys(("millón", "millones"), 1_000_000),
    },
}
# Words that multiply what stands before them; every other number word adds.
_MULTIPLIERS = {"hundred", "thousand", "million", "billion", "mil", "millón", "millones"}
_JOINING_WORDS = {"en": "and", "es": "y"}

# fmt: off
_NEGATIONS = {
    "en": frozenset((
        "not", "no", "never", "none", "nobody", "nothing", "nowhere", "neither", "nor", "cannot",
        "without",
        # Recognisers write contractions with or without the apostrophe.
        "dont", "doesnt", "didnt", "cant", "couldnt", "wont", "wouldnt", "shouldnt", "isnt",
        "arent", "wasnt", "werent", "hasnt", "havent", "hadnt", "mustnt", "aint",
    )),
    "es": frozenset((
        "no", "nunca", "jamás", "nada", "nadie", "ninguno", "ninguna", "ningún", "ningunos",
        "ningunas", "ni", "tampoco", "sin",
    )),
}
# fmt: on


def length_ratio(source: str, target: str) -> float | None:
    """The shorter text's share of the longer one's length, in characters that are not spaces."""
    lengths = sorted(len("".join(text.split())) for text in (source, target))
    return lengths[0] / lengths[1] if lengths[0] else None


def copied_through(source: str, target: str) -> float | None:
    """1 minus the share of the source's words that stand in the target as they are.

    Names and words that the languages share lower it a little; an untranslated text has 0.
    """
    source_words = _words(source)
    if not source_words:
        return None
    shared = Counter(source_words) & Counter(_words(target))
    return 1.0 - shared.total() / len(source_words)


def number_parity(
    source: str, target: str, source_language: str, target_language: str
) -> float | None:
    """How many of the numbers on either side stand on the other: 2 * shared / all; 1 without any.

    Reads digits ("3:16" is 3 and 16; "1,000" and "1.000" are the same) and, when it knows the words
    of both languages, number words, so "chapter three" agrees with "capítulo 3". The number 1 is
    left out: its words are articles too.
    """
    with_words = source_language in _NUMBER_WORDS and target_language in _NUMBER_WORDS
    of_source, of_target = (
        Counter(_numbers(text, language if with_words else ""))
        for text, language in ((source, source_language), (target, target_language))
    )
    if not (total := of_source.total() + of_target.total()):
        return 1.0
    return 2 * (of_source & of_target).total() / total


def negation_parity(
    source: str, target: str, source_language: str, target_language: str
) -> float | None:
    """1 when both texts deny something or neither does, 0 when one alone does.

    Counts are not compared: Spanish doubles its negations. None without the words of a language.
    """
    if source_language not in _NEGATIONS or target_language not in _NEGATIONS:
        return None
    return float(_is_negated(source, source_language) == _is_negated(target, target_language))


def _is_negated(text: str, language: str) -> bool:
    return any(
        word in _NEGATIONS[language] or (language == "en" and word.endswith("n't"))
        for word in _words(text)
    )


def _words(text: str) -> list[str]:
    return [word.replace("’", "'").casefold() for word in _WORD.findall(text)]


def _numbers(text: str, language: str) -> list[str]:
    """The numbers in `text`, written one way; words are read when `language` is known."""
    words = _NUMBER_WORDS.get(language, {})
    joining_word = _JOINING_WORDS.get(language)
    found: list[str] = []
    spoken: _Spoken | None = None
    joined = False  # whether the last token was an "and" that may stand inside a number
    for match in _TOKEN.finditer(text):
        token = match[0].casefold()
        value = words.get(token)
        if spoken is not None and token == joining_word:
            joined = True
            continue
        if value is not None:
            if spoken is None or not spoken.take(value, token in _MULTIPLIERS, joined):
                found += [] if spoken is None else [spoken.written()]
                spoken = _Spoken(value)
        else:
            found += [] if spoken is None else [spoken.written()]
            spoken = None
            if token[0].isdecimal():
                found.append(_written(token))
        joined = False
    found += [] if spoken is None else [spoken.written()]
    return [number for number in found if number != "1"]


class _Spoken:
    """A number being read word by word: "two thousand three hundred" and "treinta y uno"."""

    def __init__(self, value: int) -> None:
        self._thousands = 0
        self._rest = value

    def take(self, value: int, multiplies: bool, joined: bool) -> bool:
        """Adds the next number word if it can belong to this number; whether it did."""
        if multiplies:
            if joined or self._rest == 0 or value <= self._rest:
                return False
            if value >= 1000:
                self._thousands += self._rest * value
                self._rest = 0
            else:
                self._rest *= value
            return True
        fits = (
            (self._rest == 0 and self._thousands > 0 and value < 1000)
            or (self._rest >= 1000 and self._rest % 1000 == 0 and value < 1000)
            or (self._rest >= 100 and self._rest % 100 == 0 and value < 100)
            or (20 <= self._rest % 100 <= 90 and self._rest % 10 == 0 and value < 10)
        )
        if fits:
            self._rest += value
        return fits

    def written(self) -> str:
        return str(self._thousands + self._rest)


def _written(digits: str) -> str:
    """Digits without separators of thousands and with a point for decimals."""
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        return _plain_integer(re.sub(r"[.,]", "", digits))
    whole, *decimals = re.split(r"[.,]", digits)
    return ".".join([_plain_integer(whole), *decimals])


def _plain_integer(digits: str) -> str:
    # Other scripts' digits count as well.
    return "".join(str(int(digit)) for digit in digits).lstrip("0") or "0"
