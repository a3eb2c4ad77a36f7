"""What recognisers mishear, turned round: from what was said to what is heard.

Three tables of (said, heard):

- church terms, as the recogniser's own corrections have them (services/stt/corrections_en.tsv) and
  more of them in a folder of public texts. Where the heard words are ordinary English too, they are
  put in only where the corrections would know from what is around them what is meant: a model must
  never learn that the Philippines are a letter of Paul.
- words that sound the same (homophones_en.txt); the sentence tells them apart.
- what people put right in reviews, where a word beside it is the same as it was there.
"""

from __future__ import annotations

import csv
import difflib
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from services.stt import corrections
from services.stt.corrections import Corrections

CORRECTIONS = Path(corrections.__file__).with_name("corrections_en.tsv")
HOMOPHONES = Path(__file__).with_name("homophones_en.txt")

# Of a person's correction; longer ones are another sentence.
_MOST_WORDS = 4
_WORD = re.compile(r"[\w'’:-]+")


@dataclass(frozen=True)
class Confusion:
    """One way to mishear.

    Args:
        needs_context: only where the corrections would mend it.
        before: words of which one must stand right before, or one of `after` right after; both
            empty for anywhere.
    """

    said: str
    heard: str
    needs_context: bool = False
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Shown:
    """A word as Corrections takes it."""

    text: str
    probability: float | None = None


class Confusions:
    """Confusions to draw from."""

    def __init__(self, found: Iterable[Confusion], mender: Corrections | None = None) -> None:
        self._mender = mender or Corrections.read(CORRECTIONS)
        self._by_first: dict[str, list[Confusion]] = {}
        for confusion in found:
            first = _words(confusion.said)
            if first:
                self._by_first.setdefault(first[0], []).append(confusion)

    def misheard(self, text: str, rng: random.Random) -> str | None:
        """The text with one thing misheard; None where nothing in it is on the tables."""
        fitting = [
            (confusion, match)
            for word in set(_words(text))
            for confusion in self._by_first.get(word, ())
            if (match := _said(confusion, text)) is not None
        ]
        fitting.sort(key=lambda each: (each[0].said, each[0].heard))
        rng.shuffle(fitting)
        for confusion, match in fitting:
            heard = confusion.heard
            if match[0][0].isupper() and match.start() == 0:
                heard = heard[0].upper() + heard[1:]
            changed = f"{text[: match.start()]}{heard}{text[match.end() :]}"
            if not confusion.needs_context or self._is_mended(changed, text):
                return changed
        return None

    def _is_mended(self, heard: str, said: str) -> bool:
        mended = self._mender.apply([_Shown(word) for word in heard.split()])
        return _words(mended.text) == _words(said)


def listed(rows: Iterable[Mapping[str, str]]) -> list[Confusion]:
    """Confusions of a table with the columns heard, intended and context_needed."""
    return [
        Confusion(row["intended"], row["heard"], row["context_needed"] == "yes") for row in rows
    ]


def homophones() -> list[Confusion]:
    """Each word of a set of homophones as each other one."""
    with HOMOPHONES.open(encoding="utf-8") as lines:
        sets = [line.split() for line in lines if line.strip()]
    return [
        Confusion(said, heard)
        for alike in sets
        for said in alike
        for heard in alike
        if said != heard
    ]


def read_listed(path: Path) -> list[Confusion]:
    with path.open(encoding="utf-8", newline="") as lines:
        return listed(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def put_right(heard: str, said: str) -> list[Confusion]:
    """What a person changed in a source text, with the words that stood beside it."""
    before, after = _words(heard), _words(said)
    found = []
    for kind, start, end, said_start, said_end in difflib.SequenceMatcher(
        a=before, b=after, autojunk=False
    ).get_opcodes():
        if kind == "replace" and max(end - start, said_end - said_start) <= _MOST_WORDS:
            found.append(
                Confusion(
                    said=" ".join(after[said_start:said_end]),
                    heard=" ".join(before[start:end]),
                    before=frozenset(after[max(0, said_start - 1) : said_start]),
                    after=frozenset(after[said_end : said_end + 1]),
                )
            )
    return found


def _said(confusion: Confusion, text: str) -> re.Match[str] | None:
    for match in re.finditer(rf"(?<!\w){re.escape(confusion.said)}(?![\w:])", text, re.IGNORECASE):
        if not (confusion.before or confusion.after):
            return match
        before, after = _words(text[: match.start()])[-1:], _words(text[match.end() :])[:1]
        if confusion.before & set(before) or confusion.after & set(after):
            return match
    return None


def _words(text: str) -> list[str]:
    return _WORD.findall(text.replace("’", "'").lower())
