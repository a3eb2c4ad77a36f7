"""The names in an English text, and those of them that its Spanish translation has lost.

Pure. A name is a word with a capital inside its sentence, or one that the table knows as a name
wherever it stands and however it is written: recognisers write no capitals. Spanish keeps it as it
is, writes it in its own way (Jonathan, Jonatán), or has a form of its own that only the table knows
(Peter, Pedro; Monday, lunes).

names_en_es.tsv is made by `python -m training.name_table` from Bible verses and everyday sentences
in both languages, and holds a name a line: its Spanish forms, nothing where they are alike anyway,
or "-" for a word that is written with a capital and is translated in many ways (Him, King).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

TABLE = Path(__file__).with_name("names_en_es.tsv")
UNCHECKED = "-"

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# Titles of books and what is quoted begin as sentences do.
_BEGINS_A_SENTENCE = re.compile(
    r"(?:^|(?<!\bMr)(?<!\bMs)(?<!\bDr)(?<!\bSt)(?<!\bMrs)(?<!\bRev)[.!?…:;]['\"»”’)]*\s|[\"“‘(—–-]\s*)[\s'\"“‘(]*$"
)
_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "st", "rev", "reverend", "sir"})
_I = re.compile(r"I(?:['’].*)?")
_LEAST_LIKENESS = 0.7
_LEAST_LETTERS = 3
# What the two languages write differently for one sound, in names out of Hebrew and Greek.
_SOUNDS = (
    ("ph", "f"),
    ("th", "t"),
    ("sh", "s"),
    ("ck", "c"),
    ("ch", "c"),
    ("qu", "c"),
    ("k", "c"),
    ("y", "i"),
    ("j", "i"),
    ("h", ""),
    ("w", "v"),
    ("z", "s"),
)


class Names:
    """The names of a table.

    Args:
        forms: by name without capitals and accents, its Spanish forms written so, too; (UNCHECKED,)
            for a word that is none.
    """

    def __init__(self, forms: Mapping[str, tuple[str, ...]]) -> None:
        self._forms = forms

    @classmethod
    def read(cls, path: Path = TABLE) -> Names:
        lines = path.read_text(encoding="utf-8").splitlines()[1:]
        rows = (line.partition("\t") for line in lines)
        return cls({name: tuple(forms.split()) for name, _, forms in rows})

    def within(self, text: str) -> tuple[str, ...]:
        """The names in `text`, each once, as they stand there; a possessive without its 's."""
        has_case = text != text.lower() and text != text.upper()
        found: dict[str, None] = {}
        for match in WORD.finditer(text):
            name = without_possessive(match[0])
            forms = self._forms.get(plain(name))
            if forms is None:
                is_name = has_case and _may_be_a_name(text, match)
            else:
                # "Mark" with a capital may begin a sentence and be a verb; the table has no such.
                is_name = forms != (UNCHECKED,) and (not has_case or name[0].isupper())
            if is_name:
                found[name] = None
        return tuple(found)

    def missing(self, source: str, target: str, *, owned: Iterable[str] = ()) -> tuple[str, ...]:
        """The names of `source` that `target` has in no form.

        Args:
            owned: words of the source that something else vouches for: the glossary's terms.
        """
        excused = {plain(word) for phrase in owned for word in WORD.findall(phrase)}
        names = [name for name in self.within(source) if plain(name) not in excused]
        if not names:
            return ()
        words = {plain(word) for word in WORD.findall(target)}
        return tuple(name for name in names if not self._is_among(name, words))

    def _is_among(self, name: str, words: set[str]) -> bool:
        forms = (name, *self._forms.get(plain(name), ()))
        return any(are_alike(form, word) for form in forms for word in words)


@cache
def english_spanish() -> Names:
    """The table that comes with the service."""
    return Names.read()


def has_inner_capital(text: str, word: re.Match[str]) -> bool:
    """Whether a word of an English text is written with a capital that is not its sentence's."""
    return (
        word[0][0].isupper()
        and not _I.fullmatch(word[0])
        and not _BEGINS_A_SENTENCE.search(text, 0, word.start())
    )


def _may_be_a_name(text: str, word: re.Match[str]) -> bool:
    # Bibles begin what is said after a comma: "he said, Go"; "OK" and "TV" are nobody.
    return (
        len(word[0]) >= _LEAST_LETTERS
        and plain(word[0]) not in _TITLES
        and has_inner_capital(text, word)
        and not text[: word.start()].rstrip().endswith(",")
    )


def inner_capitals(text: str) -> Iterator[str]:
    """The words with such a capital, without the 's of a possessive."""
    for match in WORD.finditer(text):
        if has_inner_capital(text, match):
            yield without_possessive(match[0])


def without_possessive(word: str) -> str:
    return re.sub(r"['’]s?$", "", word)


def plain(word: str) -> str:
    """Lower case without accents."""
    decomposed = unicodedata.normalize("NFD", word.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def are_alike(name: str, word: str) -> bool:
    """Whether `word` may be `name` as Spanish writes it: one sound first, and little else."""
    one, other = _sounds(plain(name)), _sounds(plain(word))
    if one == other:
        return True
    if not one or not other or one[0] != other[0]:
        return False
    likeness = difflib.SequenceMatcher(None, one, other)
    return (
        likeness.real_quick_ratio() >= _LEAST_LIKENESS
        and likeness.quick_ratio() >= _LEAST_LIKENESS
        and likeness.ratio() >= _LEAST_LIKENESS
    )


@lru_cache(maxsize=8192)
def _sounds(word: str) -> str:
    for spelling, sound in _SOUNDS:
        word = word.replace(spelling, sound)
    return re.sub(r"(.)\1", r"\1", word)
