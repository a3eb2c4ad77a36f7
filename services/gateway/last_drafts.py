"""The last draft of each segment in each language: what the next draft and the final go on from."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace

# Some segments of each language of every session: a final is translated soon after its last draft.
_DRAFTS_REMEMBERED = 1024

_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Draft:
    """A draft, and its leading words that two successive drafts agreed on.

    `committed_text` only grows from one draft of a segment to the next. A runtime that does not go
    on from it may give a draft that begins otherwise: such a draft is shown whole, and
    `stable_text` is what it keeps.

    Args:
        source_text: what it is a translation of.
        is_comparable: whether it is a whole translation of that, made without words of earlier
            drafts, and not a doubtful one.
    """

    text: str
    model: str
    committed_text: str = ""
    source_text: str = ""
    is_comparable: bool = False

    @property
    def stable_text(self) -> str:
        """The leading words of this draft that are committed."""
        return agreed(self.committed_text, self.text)

    def followed_by(self, following: Draft) -> Draft:
        """The next draft of the same segment, with what both have committed.

        LocalAgreement-2 (Liu et al. 2020, arXiv 2005.11185), on words of the translation.
        """
        common = agreed(self.text, following.text)
        longer = _words(common)
        committed = _words(self.committed_text)
        grows = len(longer) > len(committed) and longer[: len(committed)] == committed
        return replace(following, committed_text=common if grows else self.committed_text)


def agreed(before: str, text: str) -> str:
    """The leading words of `text` that `before` begins with, too, as they stand in `text`."""
    end = 0
    for word, match in zip(_words(before), _WORD.finditer(text), strict=False):
        if match.group() != word:
            break
        end = match.end()
    return text[:end]


def word_count(text: str) -> int:
    return len(_words(text))


def _words(text: str) -> list[str]:
    return text.split()


class LastDrafts:
    """The last drafts of all sessions, in memory alone: without them nothing is wrong, only slower.

    Bounded: those not touched for longest are forgotten.
    """

    def __init__(self) -> None:
        self._drafts: OrderedDict[tuple[str, int, str], Draft] = OrderedDict()

    def get(self, session_id: str, segment_id: int, language: str) -> Draft | None:
        return self._drafts.get((session_id, segment_id, language))

    def put(self, session_id: str, segment_id: int, language: str, draft: Draft) -> None:
        key = (session_id, segment_id, language)
        self._drafts[key] = draft
        self._drafts.move_to_end(key)
        if len(self._drafts) > _DRAFTS_REMEMBERED:
            self._drafts.popitem(last=False)

    def forget_session(self, session_id: str) -> None:
        for key in [key for key in self._drafts if key[0] == session_id]:
            del self._drafts[key]

    def forget(self, session_id: str, segment_id: int) -> None:
        """The segment was dropped; the next one uses its number again."""
        for key in [key for key in self._drafts if key[:2] == (session_id, segment_id)]:
            del self._drafts[key]
