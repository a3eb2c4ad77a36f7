"""What two texts tell about a translation without any model: pure functions of str.

Each value is in [0, 1], greater is better. None: there is nothing to measure. None of them sees a
wrong word; they find what agreement scores overlook (terms), what was not translated at all, and
what a model said again and again. Numbers, references and negation are in services.parity.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_LOOP_WORDS = 4


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


def glossary_terms(
    required: Collection[tuple[str, str]], missing: Collection[tuple[str, str]]
) -> float | None:
    """1 minus the share of the required terms that are missing; None when none is required.

    What is missing without being required does not count.
    """
    wanted = set(required)
    return 1.0 - len(wanted.intersection(missing)) / len(wanted) if wanted else None


def repetition(source: str, target: str) -> float:
    """1 minus the share of the target's runs of four words that stood in it before; 1: none did.

    seq-rep-4 of Welleck et al. 2020 (arXiv 1908.04319): 1 - unique 4-grams / 4-grams. That of the
    source is taken off, for what a speaker says again is said again in a translation. "Holy, holy,
    holy" has no run of four; loops within a word are not seen. Of 31,078 verses in English and
    Spanish 3 % are below 1, 15 below 0.8 and none below 0.5.
    """
    return min(1.0, 1.0 - _repeated_share(target) + _repeated_share(source))


def _repeated_share(text: str) -> float:
    words = _words(text)
    runs = [tuple(words[at : at + _LOOP_WORDS]) for at in range(len(words) - _LOOP_WORDS + 1)]
    return 1.0 - len(set(runs)) / len(runs) if runs else 0.0


def _words(text: str) -> list[str]:
    return [word.replace("’", "'").casefold() for word in _WORD.findall(text)]
