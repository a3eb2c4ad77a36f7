"""What people put right in transcripts, as suggested rows of the list of misheard words.

Pure, and derived anew each time: what is forgotten of a session is forgotten here, too.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# A longer run was said anew rather than misheard.
MAX_WORDS = 4
# A form that stands unchanged in this many good transcripts is a word in its own right.
REAL_WORD_COUNT = 2
_EXAMPLES = 5
_PUNCTUATION = ".,;:!?…\"“”„«»()[]—–-¿¡'’‘"
_NEIGHBOURS_SHARE = 0.5  # of the examples that must have the same word beside them


@dataclass(frozen=True, slots=True)
class ReviewedTranscript:
    """A transcript before and after a person looked at it."""

    pair_id: str
    heard: str
    intended: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A row for the list of misheard words, with what it rests on.

    Args:
        kind: "name" where every reviewer wrote capitals within a sentence, else "term".
        context_needed: whether the heard words are right elsewhere.
        context: where the row may count, as the list writes it; empty unless it is needed.
        count: in how many sentences.
        pair_ids: some of them.
    """

    heard: str
    intended: str
    kind: str
    context_needed: bool
    context: str
    count: int
    pair_ids: tuple[str, ...]

    def row(self) -> tuple[str, str, str, str, str]:
        """As a line of the list: heard, intended, kind, context_needed, context."""
        return (
            self.heard,
            self.intended,
            self.kind,
            "yes" if self.context_needed else "no",
            self.context,
        )


@dataclass(frozen=True, slots=True)
class _Change:
    """One run of words that a person replaced.

    Args:
        before: the word before it in its sentence, folded; empty at the beginning.
        after: the word after it, folded; empty at the end.
    """

    pair_id: str
    heard: str
    intended: str
    is_name: bool
    before: str
    after: str


def suggest(
    reviewed: Iterable[ReviewedTranscript], good_texts: Iterable[str], min_count: int = 2
) -> list[Suggestion]:
    """Rows that at least `min_count` sentences speak for, the most frequent first.

    Heard words that were meant differently each time get the row of the most frequent meaning: the
    list has one row for the same words.

    Args:
        reviewed: the standing decisions, texts in one language.
        good_texts: transcripts that nobody had to change.
    """
    changes: dict[str, list[_Change]] = defaultdict(list)
    right = list(good_texts)
    for transcript in reviewed:
        right.append(transcript.intended)
        for change in _changes(transcript):
            changes[change.heard].append(change)
    counts = _phrase_counts(right, changes.keys())
    suggestions = []
    for heard, found in changes.items():
        by_meaning: dict[str, list[_Change]] = defaultdict(list)
        for change in found:
            by_meaning[change.intended].append(change)
        meant = max(by_meaning.values(), key=lambda same: len({change.pair_id for change in same}))
        pair_ids = tuple(dict.fromkeys(change.pair_id for change in meant))
        if len(pair_ids) < min_count:
            continue
        context_needed = counts[heard] >= REAL_WORD_COUNT or len(by_meaning) > 1
        suggestions.append(
            Suggestion(
                heard=heard,
                intended=meant[0].intended,
                kind="name" if all(change.is_name for change in meant) else "term",
                context_needed=context_needed,
                context=_context(meant) if context_needed else "",
                count=len(pair_ids),
                pair_ids=pair_ids[:_EXAMPLES],
            )
        )
    return sorted(suggestions, key=lambda row: (-row.count, row.heard))


def _changes(transcript: ReviewedTranscript) -> Iterable[_Change]:
    """The runs of words that were replaced; case and punctuation alone are no change."""
    heard, intended = _words(transcript.heard), _words(transcript.intended)
    keys, intended_keys = [_folded(word) for word in heard], [_folded(word) for word in intended]
    matcher = difflib.SequenceMatcher(None, keys, intended_keys, autojunk=False)
    for kind, first, end, intended_first, intended_end in matcher.get_opcodes():
        is_short = end - first <= MAX_WORDS and intended_end - intended_first <= MAX_WORDS
        if kind != "replace" or not is_short:
            continue
        meant = intended[intended_first:intended_end]
        yield _Change(
            pair_id=transcript.pair_id,
            heard=" ".join(keys[first:end]),
            intended=" ".join(meant),
            # A capital at the beginning of a sentence says nothing.
            is_name=intended_first > 0 and meant[0][:1].isupper(),
            before=keys[first - 1] if first else "",
            after=keys[end] if end < len(keys) else "",
        )


def _context(changes: Sequence[_Change]) -> str:
    """Where the recogniser was unsure, and beside the words that stood there most often."""
    contexts = []
    for pattern, neighbours in (
        ("{} _", Counter(change.before for change in changes)),
        ("_ {}", Counter(change.after for change in changes)),
    ):
        word, count = neighbours.most_common(1)[0]
        if word and count > 1 and count > _NEIGHBOURS_SHARE * len(changes):
            contexts.append(pattern.format(word))
    return " | ".join([*contexts, "unsure"])


def _phrase_counts(texts: Iterable[str], phrases: Iterable[str]) -> Counter[str]:
    """In how many texts each phrase stands."""
    wanted = set(phrases)
    lengths = {len(phrase.split()) for phrase in wanted}
    counts: Counter[str] = Counter()
    for text in texts:
        keys = [_folded(word) for word in _words(text)]
        counts.update(
            wanted
            & {
                " ".join(keys[first : first + length])
                for length in lengths
                for first in range(len(keys) - length + 1)
            }
        )
    return counts


def _words(text: str) -> list[str]:
    stripped = (word.strip(_PUNCTUATION) for word in unicodedata.normalize("NFC", text).split())
    return [word for word in stripped if word]


def _folded(word: str) -> str:
    return word.replace("’", "'").casefold()
