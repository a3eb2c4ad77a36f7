"""The numbers in a text, however they are written: digits, and words in English and Spanish.

Pure. "Three hundred and five", "305" and "trescientos cinco" are one number, "three sixteen" two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

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
        **dict.fromkeys(("eleven", "eleventh"), 11),
        **dict.fromkeys(("twelve", "twelfth"), 12),
        **dict.fromkeys(("thirteen", "thirteenth"), 13),
        **dict.fromkeys(("fourteen", "fourteenth"), 14),
        **dict.fromkeys(("fifteen", "fifteenth"), 15),
        **dict.fromkeys(("sixteen", "sixteenth"), 16),
        **dict.fromkeys(("seventeen", "seventeenth"), 17),
        **dict.fromkeys(("eighteen", "eighteenth"), 18),
        **dict.fromkeys(("nineteen", "nineteenth"), 19),
        **dict.fromkeys(("twenty", "twentieth"), 20),
        **dict.fromkeys(("thirty", "thirtieth"), 30),
        **dict.fromkeys(("forty", "fortieth"), 40),
        **dict.fromkeys(("fifty", "fiftieth"), 50),
        **dict.fromkeys(("sixty", "sixtieth"), 60),
        **dict.fromkeys(("seventy", "seventieth"), 70),
        **dict.fromkeys(("eighty", "eightieth"), 80),
        **dict.fromkeys(("ninety", "ninetieth"), 90),
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
        **dict.fromkeys(("once", "undécimo", "undécima"), 11),
        **dict.fromkeys(("doce", "duodécimo", "duodécima"), 12),
        **dict.fromkeys(("trece", "decimotercero", "decimotercera", "decimotercer"), 13),
        **dict.fromkeys(("catorce", "decimocuarto", "decimocuarta"), 14),
        **dict.fromkeys(("quince", "decimoquinto", "decimoquinta"), 15),
        **dict.fromkeys(("dieciséis", "decimosexto", "decimosexta"), 16),
        **dict.fromkeys(("diecisiete", "decimoséptimo", "decimoséptima"), 17),
        **dict.fromkeys(("dieciocho", "decimoctavo", "decimoctava"), 18),
        **dict.fromkeys(("diecinueve", "decimonoveno", "decimonovena"), 19),
        **dict.fromkeys(("veinte", "vigésimo", "vigésima"), 20),
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
# fmt: off
_ORDINALS = frozenset((
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth", "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth",
    "seventieth", "eightieth", "ninetieth",
    "primero", "primera", "primer", "segundo", "segunda", "tercero", "tercera", "tercer", "cuarto",
    "cuarta", "quinto", "quinta", "sexto", "sexta", "séptimo", "séptima", "octavo", "octava",
    "noveno", "novena", "décimo", "décima", "undécimo", "undécima", "duodécimo", "duodécima",
    "decimotercero", "decimotercera", "decimotercer", "decimocuarto", "decimocuarta",
    "decimoquinto", "decimoquinta", "decimosexto", "decimosexta", "decimoséptimo",
    "decimoséptima", "decimoctavo", "decimoctava", "decimonoveno", "decimonovena", "vigésimo",
    "vigésima",
))
# fmt: on
# Words that multiply what stands before them; every other number word adds.
_MULTIPLIERS = {"hundred", "thousand", "million", "billion", "mil", "millón", "millones"}
_JOINING_WORDS = {"en": "and", "es": "y"}
# "Tres por ciento" is three of something, like "three percent".
_PERCENT = re.compile(r"\bpor\s+cien(?:to)?\b", re.IGNORECASE)


@dataclass(frozen=True)
class Number:
    """A number as it stands in text[start:end].

    Args:
        value: written one way: digits without separators of thousands, a point for decimals.
        words: those that it is spoken in, casefolded; empty for digits.
    """

    value: str
    start: int
    end: int
    words: tuple[str, ...] = ()

    @property
    def is_ordinal(self) -> bool:
        """Whether it is spoken as which one, not as how many: "twenty third"."""
        return bool(self.words) and self.words[-1] in _ORDINALS


def knows(language: str) -> bool:
    """Whether number words of the language are read; digits always are."""
    return language in _NUMBER_WORDS


def numbers(text: str, language: str) -> Iterator[Number]:
    """The numbers in `text`, in order; "3:16" is 3 and 16. Of other languages digits alone."""
    words = _NUMBER_WORDS.get(language, {})
    joining_word = _JOINING_WORDS.get(language)
    spoken: _Spoken | None = None
    joined = False  # whether the last token was an "and" that may stand inside a number
    text = _PERCENT.sub(lambda percent: "%" * len(percent[0]), text)
    for match in _TOKEN.finditer(text):
        token = match[0].casefold()
        if spoken is not None and token == joining_word:
            joined = True
            continue
        value = words.get(token)
        if spoken is not None and (value is None or not spoken.takes(value, token, joined)):
            yield spoken.number()
            spoken = None
        if value is not None:
            spoken = spoken or _Spoken(match.start())
            spoken.take(value, token, match.end())
        if token[0].isdecimal():
            yield Number(_written(token), match.start(), match.end())
        joined = False
    if spoken is not None:
        yield spoken.number()


class _Spoken:
    """A number being read word by word: "two thousand three hundred" and "treinta y uno"."""

    def __init__(self, start: int) -> None:
        self._thousands = 0
        self._rest = 0
        self._start = start
        self._end = start
        self._words: list[str] = []

    def takes(self, value: int, word: str, joined: bool) -> bool:
        """Whether a further number word can belong to this number.

        Args:
            joined: it stands behind an "and".
        """
        if word in _MULTIPLIERS:
            return not joined and 0 < self._rest < value
        return (
            (self._rest == 0 and self._thousands > 0 and value < 1000)
            or (self._rest >= 1000 and self._rest % 1000 == 0 and value < 1000)
            or (self._rest >= 100 and self._rest % 100 == 0 and value < 100)
            or (20 <= self._rest % 100 <= 90 and self._rest % 10 == 0 and value < 10)
        )

    def take(self, value: int, word: str, end: int) -> None:
        """Adds a number word, the first or one that it takes."""
        if not self._words or word not in _MULTIPLIERS:
            self._rest += value
        elif value >= 1000:
            self._thousands += self._rest * value
            self._rest = 0
        else:
            self._rest *= value
        self._words.append(word)
        self._end = end

    def number(self) -> Number:
        value = str(self._thousands + self._rest)
        return Number(value, self._start, self._end, tuple(self._words))


def _written(digits: str) -> str:
    """Digits without separators of thousands and with a point for decimals."""
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):
        return _plain_integer(re.sub(r"[.,]", "", digits))
    whole, *decimals = re.split(r"[.,]", digits)
    return ".".join([_plain_integer(whole), *decimals])


def _plain_integer(digits: str) -> str:
    # Other scripts' digits count as well.
    return "".join(str(int(digit)) for digit in digits).lstrip("0") or "0"
