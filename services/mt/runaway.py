"""Tells answers that are no translations: loops, answers far too long, leaked prompts, copies.

All of it looks at the texts alone, so it is the same for every runtime. The thresholds are ours. Of
23,305 verses in English and Spanish Bibles one is doubted (its translation has a note at its end),
of 1,200 sentences of sermons and speeches by Apertium none; what the source repeats ("holy, holy,
holy") may be repeated.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from services.mt.engine import LanguagePair

Doubt = Literal["loop", "length", "leak", "copied", "empty"]

# Characters of translation for a character of source; 999 of 1000 verses stay below 2.17, and the
# others are short.
_LENGTH_RATIOS = {LanguagePair("en", "es"): 2.2, LanguagePair("es", "en"): 2.0}
_LENGTH_RATIO = 3.0
_DENSE_LENGTH_RATIO = 10.0  # out of a script that writes a word with one or two signs
_DENSE_LANGUAGES = frozenset({"ja", "ko", "th", "yue", "zh"})
_LENGTH_SLACK_CHARACTERS = 60  # "Amen." may become a sentence
_LENGTH_LIMIT_CHARACTERS = 8000

_LONGEST_LOOP_WORDS = 12
# How often a unit of so many words may stand in a row; what the source repeats is allowed besides.
_WORD_REPEATS = 4
_PHRASE_REPEATS = 2
_CHARACTER_LOOP = re.compile(r"([^\s.…_*=-]{1,8}?)\1{11,}")

_COPIED_SHARE = 0.8
_COPIED_LEAST_WORDS = 4

_MARKER = re.compile(
    r"<\|?/?(?:start_of_turn|end_of_turn|turn|channel|think|bos|eos|pad|unk|s|im_start|im_end"
    r"|start_header_id|end_header_id|eot_id|endoftext|begin_of_text|end_of_text)\|?>"
    r"|<(?:unused|extra_id_)\d+>|\[/?INST\]|<<?/?SYS>>?",
    re.IGNORECASE,
)
_PROMPT_TEXT = re.compile(
    r"you are a professional|produce only the|please translate the following|"
    r"without any additional explanations|here is the translation|^\s*translation\s*:|"
    r"aquí (?:está|tienes) la traducción|^\s*traducción\s*:",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_SENTENCE_START = re.compile(r"(?:^|[.!?…:]['\"»”)]*\s)[\s¿¡'\"«“(]*$")


def doubts(source: str, answer: str, pair: LanguagePair) -> tuple[Doubt, ...]:
    """What speaks against taking `answer` for a translation of `source`; empty: nothing does."""
    if not answer.strip():
        return ("empty",)
    found: list[Doubt] = []
    source_words, words = _words(source), _words(answer)
    if _loop_start(source_words, words) is not None or _loops_in_a_word(source, answer):
        found.append("loop")
    if len(answer) > length_limit(source, pair):
        found.append("length")
    if _leaks(source, answer):
        found.append("leak")
    common = set(source_words).intersection(words)
    if len(common) >= _COPIED_LEAST_WORDS and _is_copy(source, words):
        found.append("copied")
    return tuple(found)


class Watch:
    """Looks at an answer that still grows; what `doubts` excuses, it lets go on."""

    def __init__(self, source: str, pair: LanguagePair) -> None:
        self._limit_characters = length_limit(source, pair)
        self._source_repeats = most_repeats(source)
        self._source_loops_in_a_word = bool(_CHARACTER_LOOP.search(source))

    def is_running_away(self, so_far: str) -> bool:
        """Whether it should be stopped: it loops now, or is far too long.

        Looks at its end alone, so that it can be asked after every token.
        """
        if len(so_far) > self._limit_characters:
            return True
        end = _words(so_far[-600:])
        for size in range(1, min(_LONGEST_LOOP_WORDS, len(end) // 2) + 1):
            unit, repeats = end[-size:], 1
            while end[-size * (repeats + 1) : -size * repeats] == unit:
                repeats += 1
            if repeats > _allowed_repeats(size) + self._source_repeats:
                return True
        return not self._source_loops_in_a_word and bool(_CHARACTER_LOOP.search(so_far[-200:]))


def length_limit(source: str, pair: LanguagePair) -> int:
    """Characters beyond which no translation of `source` goes."""
    other = _DENSE_LENGTH_RATIO if pair.source in _DENSE_LANGUAGES else _LENGTH_RATIO
    ratio = _LENGTH_RATIOS.get(pair, other)
    return min(int(len(source) * ratio) + _LENGTH_SLACK_CHARACTERS, _LENGTH_LIMIT_CHARACTERS)


def most_repeats(text: str) -> int:
    """How often a unit of words stands in a row in `text` where it does most; 0 for an empty one.

    "holy, holy, holy" has 3.
    """
    words = _words(text)
    most = min(len(words), 1)
    for size in range(1, _LONGEST_LOOP_WORDS + 1):
        run = 0  # words in a row that are the same as the word `size` before them
        for position in range(size, len(words)):
            run = run + 1 if words[position] == words[position - size] else 0
            most = max(most, run // size + 1)
    return most


def mended(source: str, answer: str, pair: LanguagePair) -> str:
    """The part of a runaway answer that may be shown: before its loop, within the length limit."""
    text = _MARKER.split(answer)[0] if not _MARKER.search(source) else answer
    matches = list(_WORD.finditer(text))
    source_words, words = _words(source), [match[0].casefold() for match in matches]
    # Before a loop there may be another, of longer units.
    while (start := _loop_start(source_words, words)) is not None:
        text = text[: matches[start].start()]
        del words[start:]
    if loop := _CHARACTER_LOOP.search(text):
        text = text[: loop.start() + len(loop[1])]
    limit = length_limit(source, pair)
    if len(text) > limit:
        text = text[:limit].rpartition(" ")[0] or text[:limit]
    return text.strip()


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _allowed_repeats(unit_words: int) -> int:
    return _WORD_REPEATS if unit_words == 1 else _PHRASE_REPEATS


def _loop_start(source: Sequence[str], answer: Sequence[str]) -> int | None:
    """Index of the word at which `answer` says the same unit once more than it may."""
    if max(Counter(answer).values(), default=0) <= _PHRASE_REPEATS:
        return None  # nearly every text: nothing in it is said so often
    allowed_by_source: int | None = None
    for size in range(1, min(_LONGEST_LOOP_WORDS, len(answer) // 2) + 1):
        run = 0
        for position in range(size, len(answer)):
            run = run + 1 if answer[position] == answer[position - size] else 0
            if run // size + 1 > _allowed_repeats(size):
                if allowed_by_source is None:
                    allowed_by_source = most_repeats(" ".join(source))
                if run // size + 1 > _allowed_repeats(size) + allowed_by_source:
                    return position - run + 1  # the second of them: one stays
    return None


def _loops_in_a_word(source: str, answer: str) -> bool:
    return bool(_CHARACTER_LOOP.search(answer)) and not _CHARACTER_LOOP.search(source)


def _leaks(source: str, answer: str) -> bool:
    return any(
        pattern.search(answer) and not pattern.search(source) for pattern in (_MARKER, _PROMPT_TEXT)
    )


def _is_copy(source: str, answer: Sequence[str]) -> bool:
    """Whether most plain words of `source` are among those of the answer as they are.

    Numbers and names are the same in both languages, and a text of a few different words is
    excused.
    """
    plain = Counter(
        word[0].casefold()
        for word in _WORD.finditer(source)
        if word[0].isalpha()
        and not (word[0][0].isupper() and not _SENTENCE_START.search(source, 0, word.start()))
    )
    if len(plain) < _COPIED_LEAST_WORDS:
        return False
    kept = (plain & Counter(answer)).total()
    return kept >= _COPIED_SHARE * plain.total()
