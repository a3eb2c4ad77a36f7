"""What speaks against a translated sentence, one named reason for each check.

Pure. A small model translates what it knows well and invents fluently what it does not; rules
(Apertium) keep every number and word and break the sentence. So each sentence of the small model is
checked for what a listener would be misled by, and where both fail, the one that misleads less is
shown (`badness`).

Of people's own translations these fail, most of them rightly (said more freely): of 2,000 everyday
pairs (Tatoeba, dev) 18 by negation, 5 by number, 4 by name, 4 by length, 1 by a loop; without
capitals and punctuation 18, 7, 1, 7, 1. Of 461 verses (BBE and the Biblia en Español Sencillo, dev
books) 16, 3, 4, 1, 5. All checks of a sentence of 15 words take 0.2 ms.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from services import parity
from services.mt import runaway
from services.mt.engine import LanguagePair
from services.mt.names import english_spanish

Check = Literal[
    "empty",
    "runaway",
    "copied",
    "unlikely",
    "number",
    "reference",
    "address",
    "negation",
    "term",
    "name",
    "unknown",
    "length",
]
# The worst first: what is no translation at all, what may be invented, what turns a statement into
# another one, what lacks a word, what reads as if something were lacking.
WORST_FIRST: tuple[Check, ...] = (
    "empty",
    "runaway",
    "copied",
    "unlikely",
    "reference",
    "number",
    "address",
    "negation",
    "term",
    "name",
    "unknown",
    "length",
)

# Mean log-probability of a token, the end's included, below which a sentence of the own model is
# taken for invented. Of 400 of Tatoeba's dev sentences it leads Apertium by 23 chrF++ between -0.4
# and -0.3; between -0.7 and -0.6 it trails by 3, and every third sentence by more than ten. In the
# Bible's dev books it leads down to -0.9: what it knows less than those two is what this is for.
LEAST_LOG_PROBABILITY = -0.7
# A sentence that is still being spoken is less sure of its end.
LEAST_LOG_PROBABILITY_OF_A_DRAFT = -1.0

# Characters of translation for a character of source, blanks left out, by the length of the source:
# beyond these are fewer than 5 of 1000 pairs of people's translations (see the module).
_LENGTH_RATIOS = ((80, 0.65, 1.45), (40, 0.6, 1.65), (12, 0.5, 1.9))
# Of the web or of mail: example.org/give, www.example.org, prayer@example.org. Without these marks
# or endings it is two sentences with no blank between them: "amen.and".
_ADDRESS = re.compile(
    r"\b(?:[a-z]{2,10}://\S{0,200}\w|www\.\S{0,200}\w|[\w.+-]{1,64}@\w[\w.-]{0,200}\w"
    r"|(?:[\w-]{1,63}\.){1,4}(?:org|com|net|info|church|tv|es|uk|mx|eu)\b(?:[/?:]\S{0,200}\w)?)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Sentence:
    """A sentence and what a translator made of it.

    Args:
        text: the translation, the glossary's terms in place.
        log_probability: mean of its tokens; None where the translator has none.
        unknown_words: words of the source that the translator did not know.
        terms: the glossary's terms in the source, as they are written there or in the glossary.
        missing_terms: how many of them are not in `text`.
        is_cut_off: it reached a limit before its end.
        is_unfinished: the source is still being spoken.
    """

    source: str
    text: str
    pair: LanguagePair
    log_probability: float | None = None
    unknown_words: Sequence[str] = ()
    terms: Sequence[str] = ()
    missing_terms: int = 0
    is_cut_off: bool = False
    is_unfinished: bool = False


def failed(sentence: Sentence) -> tuple[Check, ...]:
    """The checks that a sentence fails, the worst first; empty: it may be shown."""
    found = {
        "runaway": sentence.is_cut_off,
        "unlikely": _is_unlikely(sentence),
        "term": sentence.missing_terms > 0,
        "address": _loses_an_address(sentence.source, sentence.text),
        "name": _loses_a_name(sentence),
        "unknown": _copies_an_unknown_word(sentence),
        "length": not sentence.is_unfinished and _is_out_of_length(sentence.source, sentence.text),
    }
    for doubt in runaway.doubts(sentence.source, sentence.text, sentence.pair):
        found[doubt if doubt in ("empty", "copied") else "runaway"] = True
    if runaway.most_repeats(sentence.text) > max(1, runaway.most_repeats(sentence.source)):
        found["runaway"] = True
    texts = (sentence.source, sentence.text, sentence.pair.source, sentence.pair.target)
    found["number"] = parity.number_parity(*texts) != 1.0
    found["reference"] = parity.bible_references(*texts) not in (None, 1.0)
    found["negation"] = parity.negation_parity(*texts) == 0.0
    return tuple(check for check in WORST_FIRST if found.get(check))


def badness(checks: Sequence[Check]) -> tuple[int, int]:
    """How bad it is to fail these: by the worst of them, then by how many there are."""
    worst = min(map(WORST_FIRST.index, checks), default=len(WORST_FIRST))
    return -worst, len(checks)


def _is_unlikely(sentence: Sentence) -> bool:
    least = LEAST_LOG_PROBABILITY_OF_A_DRAFT if sentence.is_unfinished else LEAST_LOG_PROBABILITY
    return sentence.log_probability is not None and sentence.log_probability < least


def _loses_an_address(source: str, text: str) -> bool:
    kept = text.casefold()
    return any(found.casefold() not in kept for found in _ADDRESS.findall(source))


def _loses_a_name(sentence: Sentence) -> bool:
    if (sentence.pair.source, sentence.pair.target) != ("en", "es"):
        return False
    return bool(english_spanish().missing(sentence.source, sentence.text, owned=sentence.terms))


def _copies_an_unknown_word(sentence: Sentence) -> bool:
    """A name that nobody knows is copied, and rightly so."""
    return any(not word[:1].isupper() and word.isalpha() for word in sentence.unknown_words)


def _is_out_of_length(source: str, text: str) -> bool:
    source_length, length = (len("".join(each.split())) for each in (source, text))
    for least_characters, least, most in _LENGTH_RATIOS:
        if source_length >= least_characters:
            return not least <= length / source_length <= most
    return False
